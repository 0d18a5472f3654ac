"""A host's packet filters other than the appliance's: nftables tables, and legacy iptables ones.

nftables evaluates every base chain of a hook (nft(8), CHAINS): a packet that the appliance's table
accepts can still be dropped by another one. Sources: `nft -nn list ruleset`, which includes the
tables of iptables-nft, and `iptables-save` if the kernel has legacy tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from ucontact_appliance.facts.source import ProbeContext

# The roles' tables, and the jail's table, whose entries `asterisk.banned` judges.
OWN = frozenset(
    {
        "inet ucontact",
        "inet ucontact_limits",
        "inet ucontact_qos",
        "inet ucontact_sip",
        "inet f2b-table",
    }
)
NFT = "nft"
LEGACY = frozenset(
    f"{family}tables{kind}-save" for family in ("ip", "ip6") for kind in ("-legacy", "")
)
_MARK = "=== "
_MOST_BYTES = 8 << 20  # enough for a hundred thousand bans
_LONGEST = 4096  # characters of a rule; both ends of a longer one show what it does
_SCRIPT = f"""
echo '{_MARK}nftables'; nft -nn list ruleset 2>&1 || echo "{_MARK}unread"
for family in ip ip6; do
  test -s /proc/net/${{family}}_tables_names || continue
  save="${{family}}tables-legacy-save"; test $family = ip && save=iptables-legacy-save
  command -v $save >/dev/null || save=${{save%-legacy-save}}-save
  echo "{_MARK}$save"
  $save 2>&1 || echo "{_MARK}unread"
done
true
"""
_TABLE = re.compile(r"table (?P<name>\S+ \S+) \{")
_CHAIN = re.compile(r"chain (?P<name>\S+) \{")
_BASE = re.compile(
    r"type (?P<type>\w+) hook (?P<hook>\w+) (?:devices? .+? )?priority (?P<priority>[^;]+);"
    r"(?: *policy (?P<policy>\w+);)?"
)
_BLOCK = re.compile(r"(?:set|map|flowtable|counter|quota|limit|ct \w+|secmark|synproxy)\b.*\{$")
_QUOTED = re.compile(r'"[^"]*"')
_DPORT = re.compile(r"\b(?P<protocol>tcp|udp|th) (?P<side>[ds])port (?P<ports>\{[^}]*\}|\S+)")
_NEGATED_PORT = re.compile(r"\b(?:tcp|udp|th) [ds]port !=")
_PROTOCOL = re.compile(r"\b(?:meta l4proto|ip protocol|ip6 nexthdr) (?P<ones>\{[^}]*\}|\S+)")
_ICMP = re.compile(r"\bicmp(?:v6|x)?\b")
_NUMBERS = {"tcp": "tcp", "udp": "udp", "6": "tcp", "17": "udp"}
_AIM = re.compile(r"\b(?:jump|goto) (?P<chain>\S+)")
# Matches that restrict a rule to some packets: sources, states, sets, rates, other interfaces.
_SOME = re.compile(
    r"\b(?:[sd]addr|iif|iifname|oif|oifname|ct|meta mark|mark|limit|fib|xt|@\S+|skuid|skgid|"
    r"pkttype|flags|icmp|icmpv6|vmap|ether|vlan|osf|quota|length|cgroup|time|hour|day|socket)\b"
)
_NOT_LOOPBACK = re.compile(r'\b[io]if(?:name)? != (?:"lo"|1)(?= |$)')
_LEGACY_HOOKS = {
    "PREROUTING": "prerouting",
    "INPUT": "input",
    "FORWARD": "forward",
    "OUTPUT": "output",
    "POSTROUTING": "postrouting",
}
_LEGACY_SOME = re.compile(r"(?:^| )(?:!|-s|-d|-i|-o|-f|-m (?!tcp|udp|multiport|comment)\S+)(?= |$)")
_LEGACY_NOT_LOOPBACK = re.compile(r"! -[io] lo(?= |$)")
_LEGACY_PORTS = re.compile(r"(?P<no>! )?--(?P<side>[ds])?ports? (?P<ports>\S+)")
_COMMENT = re.compile(r'-m comment --comment (?:"(?:\\.|[^"\\])*"|\S+)')


class RuleAction(str, Enum):
    """A rule's verdict on a packet."""

    DROP = "drop"
    REDIRECT = "redirect"
    ACCEPT = "accept"
    AIM = "jump"
    NONE = "none"


class Family(str, Enum):
    """The transport protocols that a rule matches."""

    TCP = "tcp"
    UDP = "udp"
    ANY = "any"
    OTHER = "other"


@dataclass(frozen=True)
class Rule:
    """A rule of a chain.

    `ports` are ranges of destination (`side` d) or source (s) ports; empty: all, or unknown.
    `some`: it matches only some of those packets, by source, state, interface or other criteria.
    """

    text: str
    fate: RuleAction
    family: Family = Family.ANY
    ports: tuple[tuple[int, int], ...] = ()
    side: str = ""
    some: bool = False
    aim: str = ""


@dataclass(frozen=True)
class FilterChain:
    """A base chain with all rules that a packet can reach in it, including through jumps.

    `table` is the family and the name; `tool` is the command that listed it.
    """

    tool: str
    table: str
    name: str
    type: str
    hook: str
    priority: str
    policy: str
    rules: tuple[Rule, ...]

    @property
    def title(self) -> str:
        """The chain's description in one line."""
        tool = self.tool.partition("-")[0]
        return (
            f"{tool} table {self.table}, chain {self.name}: type {self.type}, hook {self.hook}, "
            f"priority {self.priority}, policy {self.policy}"
        )


@dataclass(frozen=True)
class ForeignRules:
    """The base chains of tables other than the appliance's; `unread` lists tools that failed."""

    chains: tuple[FilterChain, ...]
    unread: tuple[str, ...] = ()


@dataclass
class _FilterTable:
    bases: dict[str, re.Match[str]] = field(default_factory=dict)
    rules: dict[str, list[Rule]] = field(default_factory=dict)


def foreign_rules(reach: ProbeContext) -> ForeignRules:
    """Read all packet filters of the host."""
    return parse_foreign(reach.runner.run(["sh", "-c", _SCRIPT], limit=_MOST_BYTES).stdout)


def parse_foreign(text: str) -> ForeignRules:
    """Parse the script's output."""
    chains: list[FilterChain] = []
    unread: list[str] = []
    name = ""
    for block in text.split(_MARK)[1:]:
        head, _, content = block.partition("\n")
        if head == "unread":
            unread.append(name)
        elif head == "nftables":
            name = "nftables"
            chains += parse_nft(content)
        elif head in LEGACY:
            name = head
            chains += parse_legacy(content, head)
    return ForeignRules(tuple(chains), tuple(unread))


def parse_nft(text: str) -> tuple[FilterChain, ...]:
    """The base chains in `nft -nn list ruleset` that are in tables of others."""
    tables: dict[str, _FilterTable] = {}
    table, chain, depth = "", "", 0  # depth: of blocks other than chains
    for raw in text.splitlines():
        line = _short(" ".join(raw.split()))
        opened = _TABLE.match(line)
        if opened:
            table, chain, depth = opened["name"], "", 0
            tables[table] = _FilterTable()
        elif depth or (not chain and _BLOCK.match(line)):
            depth += line.count("{") - line.count("}")
        elif (begun := _CHAIN.match(line)) and table:
            chain = begun["name"]
            tables[table].rules[chain] = []
        elif line == "}":
            table, chain = (table, "") if chain else ("", "")
        elif chain and (base := _BASE.match(line)):
            tables[table].bases[chain] = base
        elif chain and line and not line.startswith("#"):
            tables[table].rules[chain].append(parse_nft_rule(line))
    return tuple(
        FilterChain(
            NFT,
            name,
            chain,
            base["type"],
            base["hook"],
            base["priority"].strip(),
            base["policy"] or "accept",
            _met(one.rules, chain),
        )
        for name, one in tables.items()
        if name not in OWN
        for chain, base in one.bases.items()
    )


def _short(line: str) -> str:
    half = _LONGEST // 2
    return line if len(line) <= _LONGEST else f"{line[:half]} … {line[-half:]}"


def _met(rules: Mapping[str, Sequence[Rule]], start: str) -> tuple[Rule, ...]:
    """The chain's rules and those of all chains that it jumps to, each chain once."""
    found: list[Rule] = []
    waiting, seen = [(start, False)], {start}
    while waiting:
        name, some = waiting.pop(0)
        for rule in rules.get(name, ()):
            narrowed = some or rule.some
            if rule.fate is RuleAction.AIM and rule.aim not in seen:
                seen.add(rule.aim)
                limited = bool(rule.ports) or rule.family is not Family.ANY
                waiting.append((rule.aim, narrowed or limited))
            found.append(replace(rule, some=narrowed))
    return tuple(found)


def parse_nft_rule(text: str) -> Rule:
    """Parse one rule as nftables lists it, with numbers for names (`-nn`)."""
    bare = _QUOTED.sub('""', text.partition(" # ")[0])
    named = _DPORT.search(bare)
    ports = _ranges(named["ports"]) if named else ()
    protocols = _PROTOCOL.search(bare)
    family = Family.ANY
    if named and named["protocol"] in ("tcp", "udp"):
        family = Family(named["protocol"])
    elif protocols:
        family = _family(protocols["ones"])
    elif _ICMP.search(bare):
        family = Family.OTHER
    some = bool(_SOME.search(_NOT_LOOPBACK.sub("", _bare_of_protocol(text.partition(" # ")[0]))))
    unknown = bool(named and not ports) or bool(_NEGATED_PORT.search(bare))
    side = named["side"] if named else ""
    aim = _AIM.search(bare)
    if aim:
        return Rule(text, RuleAction.AIM, family, ports, side, some or unknown, aim["chain"])
    return Rule(text, _fate(bare), family, ports, side, some or unknown)


def _bare_of_protocol(text: str) -> str:
    """The rule without its protocol and ports, so that only other restrictions remain."""
    return _QUOTED.sub(
        lambda quoted: quoted[0] if quoted[0] == '"lo"' else '""',
        _PROTOCOL.sub("", _DPORT.sub("", text)),
    )


def _fate(bare: str) -> RuleAction:
    if re.search(r"\b(?:drop|reject)\b", bare):
        return RuleAction.DROP
    if re.search(r"\b(?:redirect|dnat|tproxy)\b", bare):
        return RuleAction.REDIRECT
    return RuleAction.ACCEPT if re.search(r"\baccept\b", bare) else RuleAction.NONE


def _family(text: str) -> Family:
    ones = {_NUMBERS.get(word.strip()) for word in text.strip("{} ").split(",")}
    if ones >= {"tcp", "udp"}:
        return Family.ANY
    known = ones - {None}
    return Family(known.pop()) if known else Family.OTHER


def _ranges(text: str) -> tuple[tuple[int, int], ...]:
    """Parse a port, a range, or a set of them; empty if any of them is not a number."""
    found = []
    for part in text.strip("{} ").split(","):
        first, _, last = part.strip().replace(":", "-").partition("-")
        if not first.isdigit() or not (last or "0").isdigit():
            return ()
        found.append((int(first), int(last or first)))
    return tuple(found)


def parse_legacy(text: str, tool: str) -> tuple[FilterChain, ...]:
    """The base chains in `iptables-save`: `*table`, `:CHAIN POLICY [counters]`, `-A CHAIN …`."""
    chains: list[FilterChain] = []
    table = ""
    policies: dict[str, str] = {}
    rules: dict[str, list[Rule]] = {}
    for line in map(_short, text.splitlines()):
        if line.startswith("*"):
            table, policies, rules = line[1:].strip(), {}, {}
        elif line.startswith(":"):
            name, policy = [*line[1:].split(), "-"][:2]
            policies[name] = policy.lower()
        elif line.startswith("-A "):
            name = line.split()[1]
            rules.setdefault(name, []).append(parse_legacy_rule(line))
        elif line == "COMMIT":
            chains += (
                FilterChain(
                    tool,
                    f"{'ip6' if tool.startswith('ip6') else 'ip'} {table}",
                    name,
                    table,
                    _LEGACY_HOOKS[name],
                    "-",
                    policy,
                    _met(rules, name),
                )
                for name, policy in policies.items()
                if name in _LEGACY_HOOKS
            )
    return tuple(chains)


def parse_legacy_rule(text: str) -> Rule:
    """Parse one rule as `iptables-save` writes it."""
    bare = _COMMENT.sub("", text).partition(" ")[2].partition(" ")[2]
    match, _, target = bare.partition("-j ")
    match, _, goto = match.partition("-g ") if "-g " in match else (match, "", "")
    word = (target or goto).split(" ")[0]
    protocol = re.search(r"(?P<no>! )?-p (\S+)", match)
    family = _family(protocol[2]) if protocol and not protocol["no"] else Family.ANY
    named = _LEGACY_PORTS.search(match)
    ports = _ranges(named["ports"]) if named and not named["no"] else ()
    side = (named["side"] or "") if named else ""
    rest = _LEGACY_PORTS.sub("", _LEGACY_NOT_LOOPBACK.sub("", match))
    some = bool(_LEGACY_SOME.search(rest)) or bool(named and not ports)
    fates = {
        "DROP": RuleAction.DROP,
        "REJECT": RuleAction.DROP,
        "TARPIT": RuleAction.DROP,
        "REDIRECT": RuleAction.REDIRECT,
        "DNAT": RuleAction.REDIRECT,
        "TPROXY": RuleAction.REDIRECT,
        "ACCEPT": RuleAction.ACCEPT,
    }
    if word in fates:
        return Rule(text, fates[word], family, ports, side, some)
    return Rule(text, RuleAction.AIM if word else RuleAction.NONE, family, ports, side, some, word)
