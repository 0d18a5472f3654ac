// Tones and level meters with Web Audio, without sound files.

// ITU-T Q.23: a key is the sum of a row's and a column's frequency.
const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477];
const KEYS = ["123", "456", "789", "*0#"];
const RING = { frequencies: [440, 480], onMs: 1200, periodMs: 3000, gain: 0.12 };
const RINGBACK = { frequencies: [425], onMs: 1000, periodMs: 4000, gain: 0.05 };

/** The two frequencies of a key in Hz. */
export function keyTone(key) {
  const row = KEYS.findIndex((keys) => keys.includes(key));
  return row < 0 ? null : [ROWS[row], COLUMNS[KEYS[row].indexOf(key)]];
}

/** Root mean square of one block of samples, 0 to 1, scaled so that speech fills the meter. */
export function level(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const rms = Math.sqrt(sum / Math.max(1, samples.length));
  if (rms <= 0) return 0;
  const decibel = 20 * Math.log10(rms); // 0 dB is full scale; -60 dB is silence here
  return Math.min(1, Math.max(0, (decibel + 60) / 60));
}

/** Plays tones and measures streams. Browsers allow sound only after a gesture: call `unlock`. */
export class Sound {
  #context = null;
  #ringing = null;

  unlock() {
    this.#context ??= new AudioContext();
    if (this.#context.state === "suspended") void this.#context.resume();
  }

  #beep(frequencies, milliseconds, volume) {
    const context = this.#context;
    if (!context) return;
    const gain = context.createGain();
    const end = context.currentTime + milliseconds / 1000;
    gain.gain.setValueAtTime(0, context.currentTime);
    gain.gain.linearRampToValueAtTime(volume, context.currentTime + 0.01);
    gain.gain.setValueAtTime(volume, end - 0.02);
    gain.gain.linearRampToValueAtTime(0, end);
    gain.connect(context.destination);
    for (const frequency of frequencies) {
      const oscillator = context.createOscillator();
      oscillator.frequency.value = frequency;
      oscillator.connect(gain);
      oscillator.start();
      oscillator.stop(end);
    }
  }

  key(key) {
    const tone = keyTone(key);
    if (tone) this.#beep(tone, 120, 0.06);
  }

  /** `ring` for an incoming call, `ringback` while the called party rings, null for silence. */
  ring(kind) {
    if (this.#ringing?.kind === kind) return;
    clearInterval(this.#ringing?.timer);
    this.#ringing = null;
    if (!kind) return;
    const tone = kind === "ring" ? RING : RINGBACK;
    const play = () => this.#beep(tone.frequencies, tone.onMs, tone.gain);
    play();
    this.#ringing = { kind, timer: setInterval(play, tone.periodMs) };
  }

  /** Reports the stream's level ten times per second until the returned function is called. */
  meter(stream, onLevel) {
    if (!this.#context || stream.getAudioTracks().length === 0) return () => {};
    const source = this.#context.createMediaStreamSource(stream);
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 1024;
    source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      onLevel(level(samples));
    }, 100);
    return () => {
      clearInterval(timer);
      source.disconnect();
      onLevel(0);
    };
  }
}
