#!/bin/bash
# exchange.sh WANTED FILE COMMAND...: the commands, each a program exchange for some machine, take turns at the store
# FILE, which must not be there yet; the last one must print WANTED, the machines in their order.
set -euo pipefail
wanted=$1 file=$2
shift 2
rm -f "$file"*
for command in "$@"; do
  printed=$($command "$file")
done
[ "$printed" = "$wanted" ] || { echo "exchange: printed $printed, must print $wanted" >&2; exit 1; }
echo "exchange: $printed"
