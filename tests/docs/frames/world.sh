# shellcheck shell=bash
export HEARTH_STORE=file:world.hearth
[ -e world.hearth ] || hearth eval '_home.visits = 7' >/dev/null
# @sample@
for store in new saved; do
  [ ! -e $store.hearth ] || test "$(hearth --store file:$store.hearth get visits)" = 7
done
