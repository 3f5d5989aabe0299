"""documented.py POSTGRES.md schema.sql failures.c: what the page says of tables and failures is what the sources
have."""
import re
import sys

page, schema, failures = (open(name, encoding="utf-8").read() for name in sys.argv[1:])
failed = []
if "```sql\n" + schema + "```" not in page:
    failed.append("the tables are others than those of schema.sql")

table = page[page.index("| SQLSTATE |") : page.index("Notices and warnings")]
rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in table.splitlines()[2:] if line.startswith("|")]
documented = {state: re.findall(r"\*(\w+)\*", row[2])[0] for row in rows
              for state in re.findall(r"\b[0-9A-Z]{5}\b|\b\d\d\b", row[0])}
known = {state: status.lower() for state, status in re.findall(r'\{"(\w+)", HEARTH_(\w+)\}', failures)}
for state in sorted(known.keys() | documented.keys()):
    if known.get(state, "io") != documented.get(state):
        failed.append(f"{state}: {known.get(state, 'io')} in the source, {documented.get(state)} on the page")
for line in failed:
    print(line)
print(f"{len(known.keys() | documented.keys()) + 1 - len(failed)} passed, {len(failed)} failed")
sys.exit(1 if failed or len(known) < 10 else 0)
