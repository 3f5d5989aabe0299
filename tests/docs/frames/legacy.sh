# shellcheck shell=bash
mkdir legacy
cd legacy || exit
cat >dump.json <<'END'
[{"id": "__metadata__", "data": {"homeTableId": 1, "nextTableId": 3}},
 {"id": 1, "data": {"visits": {"_type": "binary", "data": [2, 5, 0, 0, 0, 0, 0, 0, 0]}}}]
END
echo 'Memory.visits = Memory.visits + 1' >game.lua
if hearth import-legacy dump.json 2>&1 | grep 'without Jansson'; then exit 0; fi
rm home.hearth*
# @sample@
test "$(hearth get visits)" = 6
grep -q visits back.json
