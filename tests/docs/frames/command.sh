# shellcheck shell=bash
cat >game.lua <<'END'
_home.visits = _home.visits or 0
_home.players = _home.players or { {}, {}, { name = "Ada" } }
END
echo 'return { spawn = function() end }' >monsters.lua
hearth run game.lua
for commit in {2..12}; do hearth eval "_home.visits = $commit" >/dev/null; done
hearth --store file:a.hearth run game.lua
# @sample@
test "$(hearth get visits)" = 12
grep -q '</html>' page.html
test "$(hearth --store file:b.hearth get 'players[3].name')" = '"Ada"'
