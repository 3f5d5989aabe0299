#!/bin/bash
# migrate.sh HEARTH MAIN.LUA: a project before and after, and what the command does to files.
set -u
hearth=$(realpath "$1") project=$(dirname "$(realpath "$2")")
# shellcheck source=tests/command/testing.sh
. "$(dirname "$(realpath "$0")")/testing.sh"
cd "$folder" || exit 1

# silent FILE: it is empty.
silent() {
  if [ ! -s "$folder/$1" ]; then passed=$((passed + 1)); else fail "$1 is not empty: $(head -c 300 "$folder/$1")"; fi
}

# holds FILE TEXT: exactly this, with a point behind it, since the shell drops line ends there.
holds() {
  [ "$(cat "$1"; echo .)" = "$2" ] || { fail "$1 holds '$(head -c 300 "$1")', not '$2'"; return; }
  passed=$((passed + 1))
}

# ---------------------------------------------------------------- a project

cp -r "$project" old
cp -r "$project" new
cat >canonical.lua <<'LUA'
-- What the store holds, as bytes that do not depend on the order in which it came; functions name the table they use.
_home.hooks, _home.describe = nil, nil
local f = assert(io.open(arg[1], "wb"))
assert(f:write(assert(require("hearth").encode(_home, { canonical = true }))))
assert(f:close())
LUA
cd old || exit 1
ok 'the project before, with the alias' 0 "$hearth" --store file:../old.hearth run --alias on main.lua
mv ../out ../first
ok 'again' 0 "$hearth" --store file:../old.hearth run --alias on main.lua
mv ../out ../second
ok 'before, the alias counting' 0 "$hearth" --store memory: run --alias track main.lua
says err 'players.lua:4: Memory is the old name of _home'
ok 'before, without the alias, it is another table' 0 "$hearth" --store memory: run main.lua
says out 'home of 2	false'
ok 'a Memory of the program is told' 0 "$hearth" --store memory: eval 'Memory = Memory or {}'
says err 'warning: the global Memory is a table that nothing saves: it is a name of _home with --alias on'
ok 'none is not' 0 "$hearth" --store memory: eval --alias on 'Memory.x'
silent err
ok 'uses are counted' 0 "$hearth" --store memory: eval --alias track 'Memory.x, Memory.y'
says err 'uses of the name Memory: 2'
ok 'an alias that is none' 2 "$hearth" --store memory: run --alias maybe main.lua
says err "hearth: --alias: 'maybe' is none of off, on, track"
cd .. || exit 1
ok 'check before' 1 "$hearth" migrate --check new
says out 'new/players.lua:4:1: the global Memory'
ok 'there are ten files at least' 0 test "$(find new -name '*.lua' | wc -l)" -ge 10
ok 'migrate' 0 "$hearth" migrate --write new
silent out
cp err list
for place in 'compat.lua:4:14: the table of globals' 'compat.lua:4:18: code that is loaded' \
  'compat.lua:9:5: a computed field' 'compat.lua:11:10: a string' 'compat.lua:12:5: code that is loaded' \
  'compat.lua:15:5: code that is loaded' 'compat.lua:16:20: _G or _ENV as' 'compat.lua:17:13: _G or _ENV as' \
  'sandbox.lua:5:3: a local _ENV' 'journal.lua:10:24: a string' 'main.lua:3:1: the global itself'; do
  says err "new/$place"
done
ok 'check after' 0 "$hearth" migrate --check new
silent out
cp -r "$project" unchanged
sed -i -e 's/rawget(_G, "_home"),.*/rawget(_G, "Memory") or _home,/' \
  -e 's/_G._home or Memory,.*/_G.Memory or Memory,/' unchanged/compat.lua
ok 'migrate the project before what was changed by hand' 0 "$hearth" migrate --write unchanged
says err ' places to look at, 2 of them uses that only you can change'
ok 'check minds those' 1 "$hearth" migrate --check unchanged
silent out
says err 'unchanged/compat.lua:8:12: a field Memory of the table of globals: the global Memory, to be changed by hand'
says err 'unchanged/compat.lua:10:5: a field Memory of the table of globals'
ok 'what only has fields and locals of the name is as it was' 0 cmp "$project/cache.lua" new/cache.lua
cd new || exit 1
ok 'the project after, without the alias' 0 "$hearth" --store file:../new.hearth run main.lua
mv ../out ../first-after
ok 'it prints the same' 0 cmp ../first ../first-after
ok 'the project after, again' 0 "$hearth" --store file:../new.hearth run main.lua
mv ../out ../second-after
ok 'it prints the same again' 0 cmp ../second ../second-after
cp ../old.hearth ../taken-over.hearth
ok 'the project after, on the store of the one before' 0 "$hearth" --store file:../taken-over.hearth run main.lua
says out 'hello Ann, visit 3'
cd .. || exit 1
for store in old new; do
  ok "the store of $store" 0 "$hearth" --store file:$store.hearth run canonical.lua $store.bytes
done
ok 'both stores hold the same' 0 cmp old.bytes new.bytes
ok 'and much of it' 0 test "$(wc -c <new.bytes)" -gt 300

# ----------------------------------------------------------------- the diff

cp -r "$project" patched
cd patched || exit 1
ok 'dry run' 0 "$hearth" migrate .
mv ../out ../patch
ok 'a dry run writes nothing' 0 diff -r "$project" .
ok 'patch takes the diff' 0 patch -p0 --binary -i ../patch
says out 'patching file'
ok 'patch makes what --write makes' 0 diff -r . ../new
cd .. || exit 1
printf 'Memory.a = 1\n1\n' >syntax.lua
printf 'Memory.x = 1' >'a b.lua'
ok 'diff of a file without a line end, with a blank in its name' 0 "$hearth" migrate 'a b.lua'
holds out "$(printf '%s\n' $'--- a b.lua\t' $'+++ a b.lua\t' '@@ -1 +1 @@' '-Memory.x = 1' \
  '\ No newline at end of file' '+_home.x = 1' '\ No newline at end of file' .)"
{ for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do echo "print(${i})"; done; } >lines.lua
sed -i -e '4s/.*/Memory.x = 4/' -e '11s/.*/Memory.x = 11/' lines.lua
cp lines.lua joined.lua
sed -i -e '11s/.*/print(11)/' -e '12s/.*/Memory.x = 12/' lines.lua
ok 'changes with six lines between them are one hunk' 0 "$hearth" migrate joined.lua
says out '@@ -1,14 +1,14 @@'
ok 'changes with seven lines between them are two hunks' 0 "$hearth" migrate lines.lua
says out '@@ -1,7 +1,7 @@'
says out '@@ -9,7 +9,7 @@'
sed 's/Memory/_home/' lines.lua >expected
ok 'diff says the same' 1 diff -u --label lines.lua --label lines.lua lines.lua expected
mv out lines.diff
ok 'migrate says the same' 0 "$hearth" migrate lines.lua
mv out lines.migrate
ok 'byte for byte' 0 cmp lines.migrate lines.diff

# ---------------------------------------------------------- standard input

migrate_input() { printf 'return Memory, "x"\r\n' | "$hearth" migrate "$@" -; }
ok 'standard input: the diff' 0 migrate_input
says out '-return Memory, "x"'
ok 'standard input: rewritten' 0 migrate_input --write
holds out "$(printf 'return _home, "x"\r\n.')"
ok 'standard input: check' 1 migrate_input --check
says out 'stdin:1:8: the global Memory'

# -------------------------------------------------------------- bad sources

cp 'a b.lua' good.lua
ok 'a file that does not compile: the others are done' 1 "$hearth" migrate --write syntax.lua good.lua
says err "hearth: syntax.lua:2: unexpected symbol near '1'"
holds syntax.lua "$(printf 'Memory.a = 1\n1\n.')"
holds good.lua '_home.x = 1.'
printf '#!/usr/bin/lua\nMemory.x = = 1\n' >shebang.lua
ok 'the line of an error behind a first line' 1 "$hearth" migrate shebang.lua
says err "hearth: shebang.lua:2: unexpected symbol near '='"
ok 'a compiled chunk' 0 "$hearth" --store memory: eval \
  'local f = io.open("binary.lua", "wb") f:write(string.dump(load "return Memory")) f:close()'
cp binary.lua binary.before
ok 'is refused' 1 "$hearth" migrate --write binary.lua
says err 'hearth: binary.lua: a compiled chunk'
ok 'and left alone' 0 cmp binary.lua binary.before
{ echo '#!/usr/bin/lua'; cat binary.before; } >binary.lua
ok 'a compiled chunk behind a first line is refused' 1 "$hearth" migrate binary.lua
says err 'hearth: binary.lua: a compiled chunk'
ok 'a missing file: the others are done' 3 "$hearth" migrate missing.lua lines.lua
says err 'hearth: missing.lua: cannot open it'
says out '@@ -1,7 +1,7 @@'
ok 'write and check' 2 "$hearth" migrate --write --check lines.lua
ok 'no file' 2 "$hearth" migrate
says err 'hearth: migrate: an argument is missing'
ok 'help' 0 "$hearth" migrate --help
says out 'usage: hearth [--store URI] migrate FILE...'
ok 'unknown option' 2 "$hearth" migrate --nonsense lines.lua
ok 'help of run names the alias' 0 "$hearth" run --help
says out '--alias POLICY'
ok 'eval with the alias' 0 "$hearth" --store memory: eval --alias on 'rawequal(Memory, _home)'
says out 'true'
repl_aliased() { echo 'print(rawequal(Memory, _home))' | "$hearth" --store memory: repl --alias on; }
ok 'repl with the alias' 0 repl_aliased
says out 'true'

# -------------------------------------------------------------------- files

mkdir -p tree/sub/.git tree/.hidden
for path in tree/b.lua tree/a.lua tree/sub/c.lua tree/sub/.git/d.lua tree/.hidden/e.lua tree/f.txt tree/.g.lua; do
  printf 'Memory.x = 1\n' >$path
done
printf 'Memory.x = 1\n' >outside.lua
ln -s ../outside.lua tree/link.lua
ln -s .. tree/sub/up
ok 'a folder' 1 "$hearth" migrate --check tree
ok 'its files in order, nothing hidden, no links' 0 test "$(grep -o '^[^:]*' out | grep '^tree' | tr '\n' ' ')" = \
  'tree/a.lua tree/b.lua tree/sub/c.lua '
mkdir empty
ok 'an empty folder' 0 "$hearth" migrate --check empty
says err 'hearth: 0 files'

mkdir keep
printf 'Memory.x = 1\n' >keep/file.lua
chmod 2751 keep/file.lua
printf 'return 1, "Memory"\n' >keep/same.lua
ln -s file.lua keep/link.lua
ln -s "$folder/keep/link.lua" far.lua
inode=$(stat -c %i keep/same.lua)
ok 'through links' 0 "$hearth" migrate --write far.lua keep/same.lua
holds keep/file.lua "$(printf '_home.x = 1\n.')"
ok 'the mode stays' 0 test "$(stat -c %a keep/file.lua)" = 2751
ok 'the links stay' 0 test -L far.lua -a -L keep/link.lua
ok 'a file without a change is not replaced' 0 test "$(stat -c %i keep/same.lua)" = "$inode"
ok 'nothing else is left behind' 0 test "$(ls -A keep | tr '\n' ' ')" = 'file.lua link.lua same.lua '

mkdir refused
for path in linked read-only nobody good; do printf 'Memory.x = 1\n' >refused/$path.lua; done
ln refused/linked.lua refused/other-name
chmod 444 refused/read-only.lua
chmod 464 refused/nobody.lua # its owner shall not write, whoever else may
ok 'files that are not to be replaced: the others are done' 1 "$hearth" migrate --write refused
says err 'hearth: refused/linked.lua: it has other names (hard links), which would keep the old text'
says err 'hearth: refused/read-only.lua: it is read-only'
says err 'hearth: refused/nobody.lua: it is read-only'
ok 'one error for each' 0 test "$(grep -c '^hearth: refused/' err)" = 3
for path in linked read-only nobody; do holds refused/$path.lua "$(printf 'Memory.x = 1\n.')"; done
holds refused/good.lua "$(printf '_home.x = 1\n.')"
ok 'the names stay one file' 0 test refused/linked.lua -ef refused/other-name
ok 'the mode stays' 0 test "$(stat -c %a refused/read-only.lua)" = 444
ok 'nothing is left behind' 0 test "$(ls -A refused | tr '\n' ' ')" = \
  'good.lua linked.lua nobody.lua other-name read-only.lua '
printf 'return "Memory"\n' >refused/good.lua
chmod 444 refused/good.lua
ok 'a file without a change may be anything' 0 "$hearth" migrate --write refused/good.lua
ok 'a dry run shows what would be refused' 0 "$hearth" migrate refused/read-only.lua
says out '+_home.x = 1'
mkfifo pipe.lua
migrate_pipe() {
  printf 'return Memory\n' >pipe.lua &
  "$hearth" migrate --write pipe.lua
}
ok 'something that is no file' 1 migrate_pipe
says err 'hearth: pipe.lua: it is no file that could be replaced'

mkdir full
printf 'Memory.x = 1\n' >full/file.lua
no_room() { # only the command has none: what it says is written by cat
  (trap '' XFSZ; ulimit -f 0; exec "$hearth" migrate --write full/file.lua) 2>&1 | cat >&2
  return "${PIPESTATUS[0]}"
}
ok 'a write that fails' 1 no_room
says err 'hearth: full/file.lua: cannot write a file beside it: File too large'
holds full/file.lua "$(printf 'Memory.x = 1\n.')"
ok 'leaves nothing behind' 0 test "$(ls -A full)" = file.lua

mkdir locked
printf 'Memory.x = 1\n' >locked/file.lua
chmod 666 locked/file.lua
chmod 555 locked
as_user=()
if [ "$(id -u)" -eq 0 ]; then # whom no mode stops
  chmod 755 "$folder"
  as_user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
fi
if "${as_user[@]}" "$hearth" --version >/dev/null 2>&1; then
  mkdir theirs # a folder that everybody may write, and a file that only its owner may
  chmod 777 theirs
  printf 'Memory.x = 1\n' >theirs/file.lua
  chmod 644 theirs/file.lua
  if [ ${#as_user[@]} -gt 0 ]; then
    ok "somebody else's file" 1 "${as_user[@]}" "$hearth" migrate --write theirs/file.lua
    says err 'hearth: theirs/file.lua: it is read-only'
    holds theirs/file.lua "$(printf 'Memory.x = 1\n.')"
  fi
  ok 'a folder that cannot be written' 1 "${as_user[@]}" "$hearth" migrate --write locked/file.lua
  says err 'hearth: locked/file.lua: cannot make a file beside it: Permission denied'
  holds locked/file.lua "$(printf 'Memory.x = 1\n.')"
else
  echo 'skipped: a folder that cannot be written: no other user may run the command here'
fi

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
