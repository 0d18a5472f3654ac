#!/bin/sh
# Runs on the build machine: compile.sh SOURCES OUT
# Leaves OUT/classes/<component>/, OUT/softphone/ and OUT/drivers/ for packaging.
set -eu
sources=$1
out=$2
javac_8="javac -encoding UTF-8 -source 8 -target 8 -Xlint:all -Werror"

rm -rf "$out"
mkdir -p "$out/classes" "$out/softphone" "$out/drivers"

# The server first: modules compile against its interface.
for component in server jasper jdbc mail others ssh ws; do
  mkdir -p "$out/classes/$component"
  find "$sources/java/$component" -name '*.java' | sort > "$out/$component.list"
  $javac_8 -cp "$out/classes/server" -d "$out/classes/$component" "@$out/$component.list"
done

jar=$(readlink -f /usr/share/java/mariadb-java-client.jar)
cp "$jar" "$out/drivers/"
cp /usr/share/doc/libmariadb-java/copyright "$out/drivers/LICENSE-mariadb-java-client.txt"

cd "$sources/softphone"
npm ci --no-audit --no-fund --no-progress
npm test
npm run build
cp -R dist/. "$out/softphone/"
