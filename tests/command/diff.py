"""diff.py HEARTH JSON: hearth diff between commits, stores and blobs, by hand and over random trees."""
import json
import os
import random
import subprocess
import sys
import tempfile

hearth = os.path.realpath(sys.argv[1])
has_json = sys.argv[2] == "yes"
passed = 0


def run(*arguments, status=0, store="file:s.hearth"):
    global passed
    environment = dict(os.environ, HEARTH_STORE=store)
    done = subprocess.run([hearth, *arguments], capture_output=True, env=environment, stdin=subprocess.DEVNULL)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == status, (arguments, done.returncode, out[:2000], err[:2000])
    assert "runtime error" not in err and "Sanitizer" not in err, err
    if status >= 2:
        assert err.startswith("hearth: ") and err.count("\n") == 1 and out.strip("[\n") == "", (arguments, out, err)
    passed += 1
    return err if status >= 2 else out


def commits(*sources, store="file:s.hearth"):
    """A new store with a commit for each source; blobs of its home beside it, as 1.blob and so on."""
    name = store.partition(":")[2]
    if os.path.exists(name):
        os.remove(name)
    for n, source in enumerate(sources):
        run("eval", source + f" local f = io.open('{n + 1}.blob', 'wb') "
            "local ok, blob = pcall(function() return assert(require('hearth').encode(_home)) end) "
            "if ok then f:write(blob) end f:close()", store=store)


def lines(text):
    """Without the numbers of objects, sorted."""
    return sorted(" ".join(w for w in line.split(" ") if not w.startswith("#")) for line in text.splitlines())


def expect(before, after, *expected, blobs=True):
    """The differences between two commits of one store, and between two stores, and between two blobs."""
    status = 1 if expected else 0
    commits(before, after)
    found = lines(run("diff", "--at", "1", status=status))
    assert found == sorted(expected), (before, after, found)
    run("export", "--at", "1", "before.hearth")
    found = lines(run("diff", "before.hearth", "file:s.hearth", status=status))
    assert found == sorted(expected), (before, after, found)
    for name in ["before.hearth"]:
        os.remove(name)
    if blobs:
        found = lines(run("diff", "1.blob", "2.blob", status=status))
        expected = ["& root" + e[7:] if e.startswith("& _home ") else e for e in expected]
        assert found == sorted(expected), (before, after, found)


def cases():
    expect("_home.a = 1 _home.b = 'x' _home.c = true", "_home.a = 2 _home.b = nil _home.d = {1, 2}",
           "~ a: 1 -> 2", '- b = "x"', "+ d = table of 2")
    expect("_home.a = {b = {c = {1, 2, 3}}}", "_home.a.b.c[2] = 'two' _home.a.b.c[4] = 4 _home.a.b['x y'] = 1.5",
           '~ a.b.c[2]: 2 -> "two"', "+ a.b.c[4] = 4", '+ a.b["x y"] = 1.5')
    expect("_home.a = {1, 2}", "_home.a = {1, 2}")  # another table with the same content
    expect("_home.a = 1", "_home.a = 1.0", "~ a: 1 -> 1.0")
    expect("_home.a = 0.0 _home.n = 0/0", "_home.a = -0.0", "~ a: 0.0 -> -0.0")
    expect("_home.a = {}", "_home.a = print", "~ a: table of 0 -> permanent C function \"print\"")
    expect("_home.a = print", "_home.a = type",
           "~ a: permanent C function \"print\" -> permanent C function \"type\"")
    # more keys than a record holds: another form of the table
    expect("_home.big = {} for i = 1, 3 do _home.big[i] = i end", "for i = 4, 3000 do _home.big[i] = i end"
           " for i = 5, 3000 do _home.big[i] = nil end _home.big.x = ('y'):rep(90000) _home.big.x = nil",
           "+ big[4] = 4")
    commits("_home.big = {} for i = 1, 3000 do _home.big[i] = {i} _home.big['k' .. i] = i end",
            "_home.big[1500][1] = 'changed' _home.big.k1500 = nil _home.big[3001] = true")
    found = lines(run("diff", "--at", "1", status=1))
    assert found == sorted(['~ big[1500][1]: 1500 -> "changed"', "- big.k1500 = 1500", "+ big[3001] = true"]), found
    commits("_home.big = {} for i = 1, 3000 do _home.big[i] = i end", "_home.big[1500] = 'x'")
    assert lines(run("diff", "--at", "1", status=1)) == ['~ big[1500]: 1500 -> "x"']
    # large strings, as values and keys
    expect("_home.s = ('x'):rep(200000) _home.t = ('y'):rep(200000)", "_home.s = ('x'):rep(199999) .. 'z'",
           "~ s: string of 200000 bytes -> string of 200000 bytes", blobs=False)
    expect("_home.s = ('x'):rep(200000)", "_home.s = 'short'", '~ s: string of 200000 bytes -> "short"', blobs=False)
    expect("_home[('k'):rep(100000)] = 1", "_home[('k'):rep(100000)] = 2", "~ " + "k" * 100000 + ": 1 -> 2")
    # functions: their code, their upvalues, cells that are shared
    function = "local n, m = 0, {} _home.f = function() n = n + 1 m[n] = n return n end "
    expect(function, "_home.f()", "~ f^n: 0 -> 1", "+ f^m[1] = 1")
    commits(function, "local n, m = 0, {} _home.f = function() m[n] = 'other' return n end")
    found = run("diff", "--at", "1", status=1)
    assert found.count("\n") == 1 and found.startswith("~ f: function ") and " -> function " in found, found
    commits("local n = 0 _home.get = function() return n end _home.set = function(v) n = v end",
            "_home.set(5)",
            "local n, m = 5, 0 _home.get = function() return n end _home.set = function(v) m = v end")
    found = lines(run("diff", "--at", "1", "--to", "2", status=1))
    assert found == ["~ get^n: 0 -> 5"], found
    found = lines(run("diff", "--at", "2", status=1))
    assert found == ["+ set^m = upvalue: 0", "- set^n = upvalue: 5", "~ set: function eval:1 -> function eval:1"], found
    commits("local n, m = 5, 5 local function make(n) return function() return n end end"
            " _home.a = make(5) _home.b = _home.a", "local n = 5 _home.b = load(string.dump(_home.a))"
            " debug.upvaluejoin(_home.b, 1, _home.a, 1)",
            "debug.setupvalue(load(string.dump(_home.a)), 1, 5) local f = load(string.dump(_home.a))"
            " debug.setupvalue(f, 1, 5) _home.b = f")
    assert lines(run("diff", "--at", "1", "--to", "2", status=1)) == ["& b is the same object as a in the first only"]
    assert lines(run("diff", "--at", "2", status=1)) == ["& b^n is the same object as a^n in the first only"]
    expect("_home.t = setmetatable({}, {__index = {a = 1}})", "getmetatable(_home.t).__index.a = 2",
           "~ t^metatable.__index.a: 1 -> 2")
    expect("_home.t = setmetatable({}, {})", "setmetatable(_home.t, nil)", "- t^metatable = table of 0")
    # sharing and cycles
    expect("_home.x = {1} _home.y = _home.x", "_home.y = {1}", "& y is the same object as x in the first only")
    expect("_home.x = {1} _home.y = {1}", "_home.y = _home.x", "& y is the same object as x in the second only")
    expect("_home.self = _home _home.x = {} _home.x.up = _home.x", "_home.x.up = {up = _home.x}",
           "& x.up is the same object as x in the first only")
    expect("_home.self = _home", "_home.self = nil", "- self = table of 1")
    expect("_home.a = {b = _home}", "_home.n = 1", "+ n = 1")
    expect("_home.x, _home.y = {1}, {2}", "_home.x, _home.y = _home.y, _home.x", "~ x[1]: 1 -> 2", "~ y[1]: 2 -> 1")
    # what has moved deep below what is unchanged
    commits("_home.deep = {{{x = {1}}}} _home.z = {9} _home.keep = _home.deep[1][1].x", "_home.z = _home.keep")
    found = lines(run("diff", "--at", "1", status=1))
    assert found == ["& z is the same object as keep in the second only", "~ z[1]: 9 -> 1"], found
    # keys that are objects
    commits("local k = {name = 'key'} _home.t = {[k] = 1} _home.k = k", "_home.t[_home.k] = 2 _home.k.name = 'K'")
    found = run("diff", "--at", "1", status=1)
    assert found.count("\n") == 2 and '~ k.name: "key" -> "K"\n' in found and ">]: 1 -> 2\n" in found, found
    commits("_home.t = {[{name = 'key'}] = 1}", "local k = next(_home.t) k.name = 'K'")
    found = run("diff", "--at", "1", status=1)
    assert found.count("\n") == 1 and '>]^key.name: "key" -> "K"\n' in found, found
    # special objects: their local ones too
    point = ("local P = {__persist = function(p) local x, t = p.x, p.t "
             "return function() return {x = x, t = t} end end} ")
    commits(point + "_home.p = setmetatable({x = 1, t = {{1}}}, P)",
            point + "_home.p = setmetatable({x = 2, t = {{3}}}, P)")
    found = lines(run("diff", "--at", "1", status=1))
    assert "~ p^x: 1 -> 2" in found and "~ p^t[1][1]: 1 -> 3" in found, found


def externals():
    commits("_home.e = ext.table() for i = 1, 500 do _home.e[i] = i end _home.e.t = {a = {1, 2}, b = 'x'}"
            " _home.e.sub = ext.table() _home.e.sub.n = 1",
            "_home.e[250] = nil _home.e[251] = 'changed' _home.e[1000] = true local t = _home.e.t"
            " _home.e.t = {a = {1, 3}, c = 1} _home.e.sub.n = 2 _home.e[1] = {1}")
    expected = ["- e[250] = 250", '~ e[251]: 251 -> "changed"', "+ e[1000] = true", "~ e.t.a[2]: 2 -> 3", "+ e.t.c = 1",
                '- e.t.b = "x"', "~ e[1]: 1 -> external table", "~ e.sub.n: 1 -> 2"]
    assert lines(run("diff", "--at", "1", status=1)) == sorted(expected)
    function = "_home.e = _home.e or ext.table() _home.e.f = function() return %s end _home.e.g = function() end"
    commits(function % "1", function % "2", function % "2" + " _home.e.f = 3")
    assert lines(run("diff", "--at", "1", "--to", "2", status=1)) == ["~ e.f: function eval:1 -> function eval:1"]
    found = lines(run("diff", "--at", "2", status=1))
    assert len(found) == 1 and found[0].startswith("~ e.f: a value of ") and found[0].endswith(" bytes -> 3"), found
    commits("_home.e = ext.table() _home.e.x = 1 _home.n = 1", "_home.n = 2")
    assert lines(run("diff", "--at", "1", status=1)) == ["~ n: 1 -> 2"]
    commits("_home.e = ext.table() _home.e.x = ext.table() _home.e.y = _home.e.x", "_home.e.y = ext.table()",
            "_home.e.y[1] = 1")
    assert lines(run("diff", "--at", "1", "--to", "2", status=1)) == [
        "& e.y is the same object as e.x in the first only"]
    assert lines(run("diff", "--at", "2", status=1)) == ["+ e.y[1] = 1"]


def usage():
    commits("_home.a = 1", "_home.a = 2", "_home.b = {1}")
    assert lines(run("diff", "--at", "1", "--to", "2", status=1)) == ["~ a: 1 -> 2"]
    assert lines(run("diff", "--at", "2", "--to", "1", status=1)) == ["~ a: 2 -> 1"]
    assert lines(run("diff", "--at=3", status=0)) == []
    assert lines(run("diff", "s.hearth", "file:s.hearth", "--at", "2", status=1)) == ["+ b = table of 1"]
    assert lines(run("diff", "1.blob", "s.hearth", status=1)) == ["+ b = table of 1", "~ a: 1 -> 2"]
    assert lines(run("diff", "s.hearth", "1.blob", status=1)) == ["- b = table of 1", "~ a: 2 -> 1"]
    for arguments in [[], ["a"], ["a", "b", "c"], ["--at", "0"], ["--to", "2"], ["--at", "9"], ["--at", "x"],
                      ["--nonsense"], ["none.hearth", "s.hearth"], ["s.hearth", "none.hearth"],
                      ["file:none.hearth", "s.hearth"], ["--at", "1", "1.blob", "s.hearth"], [".", "s.hearth"],
                      ["--to", "7", "s.hearth", "s.hearth"]]:
        run("diff", *arguments, status=2)
    assert "those from 1 to 3" in run("diff", "--at", "9", status=2)
    with open("1.blob", "rb") as f:
        blob = f.read()
    with open("bad.blob", "wb") as f:
        f.write(blob[:-1])
    run("diff", "1.blob", "bad.blob", status=2)
    if not has_json:
        run("diff", "--json", "--at", "1", status=2)
        return
    commits("_home.a = 1 _home.t = {} _home.u = _home.t _home.s = 'gone'", "_home.a = 2.5 _home.u = {} _home.s = nil")
    found = json.loads(run("diff", "--json", "--at", "1", status=1))
    found.sort(key=lambda d: d["path"])
    assert found[0] == {"change": "changed", "path": "a", "old": 1, "new": 2.5}, found
    assert found[1] == {"change": "removed", "path": "s", "old": "gone"}, found
    assert found[2] == {"change": "shared in the first", "path": "u", "with": "t"}, found
    assert len(found) == 3, found
    commits("_home.a = 1", "_home.a = {1}")
    found = json.loads(run("diff", "--json", "--at", "1", status=1))
    assert found[0]["new"]["is"].startswith("table of 1 #") and found[0]["new"]["ref"] > 0, found
    assert json.loads(run("diff", "--json", "s.hearth", "s.hearth")) == []


# A tree as Lua, its changes, and what they come to: {path: value}, by the same rules in a few lines of Python.

def random_scalar(r):
    return r.choice([r.randrange(5), r.randrange(1 << 40), "s%d" % r.randrange(5), True, False, r.random()])


def random_tree(r, depth):
    if depth == 0 or r.random() < 0.4:
        return random_scalar(r)
    return {random_key(r): random_tree(r, depth - 1) for _ in range(r.choice([0, 1, 3, 8, 40]) if depth > 1 else 2)}


def random_key(r):
    return r.choice([r.randrange(1, 60), "k%d" % r.randrange(60)])


def changed(r, tree):
    if not isinstance(tree, dict):
        return random_scalar(r) if r.random() < 0.3 else tree
    fresh = {}
    for key, value in tree.items():
        dice = r.random()
        if dice < 0.05:
            continue
        fresh[key] = random_tree(r, 2) if dice < 0.1 else changed(r, value) if dice < 0.5 else value
    for _ in range(r.randrange(2)):
        fresh[random_key(r)] = random_tree(r, 2)
    return fresh


def to_lua(tree):
    if isinstance(tree, dict):
        return "{" + ", ".join("[%s] = %s" % (to_lua(k), to_lua(v)) for k, v in tree.items()) + "}"
    if isinstance(tree, bool):
        return "true" if tree else "false"
    return '"%s"' % tree if isinstance(tree, str) else repr(tree)


def shown(tree):
    if isinstance(tree, dict):
        return "table of %d" % len(tree)
    if isinstance(tree, float):
        return float.hex(tree)
    return to_lua(tree)


def same(a, b):
    return type(a) is type(b) and a == b


def model(a, b, path, out):
    for key in {**a, **b}:
        step = path + (("." if path else "") + key if isinstance(key, str) else "[%d]" % key)
        if key not in a:
            out.append("+ " + step)
        elif key not in b:
            out.append("- " + step)
        elif isinstance(a[key], dict) and isinstance(b[key], dict):
            model(a[key], b[key], step, out)
        elif not same(a[key], b[key]):
            out.append("~ " + step)
    return sorted(out)


def random_trees(rounds):
    for seed in range(rounds):
        r = random.Random(seed)
        before = {"k%d" % i: random_tree(r, 4) for i in range(6)}
        after = changed(r, before)
        clear = "for k in pairs(_home) do _home[k] = nil end "
        # half of the time the tables that stay keep their identity
        keep = seed % 2 == 0
        assign = ("local function into(t, from) for k in pairs(t) do if from[k] == nil then t[k] = nil end end "
                  "for k, v in pairs(from) do if type(v) == 'table' and type(t[k]) == 'table' then into(t[k], v) "
                  "else t[k] = v end end end into(_home, %s)")
        for name, tree in [("1", before), ("2", after)]:
            with open(f"{name}.lua", "w") as f:
                text = assign if keep else clear + "for k, v in pairs(%s) do _home[k] = v end"
                f.write(text % to_lua(tree))
        for name in ["s.hearth", "other.hearth"]:
            if os.path.exists(name):
                os.remove(name)
        run("run", "1.lua")
        run("run", "2.lua")
        run("run", "2.lua", store="file:other.hearth")
        expected = model(before, after, "", [])
        status = 1 if expected else 0
        for arguments in [["--at", "1"], ["s.hearth", "other.hearth", "--at", "1"]]:
            if len(run("log").splitlines()) < 3:
                continue  # nothing was changed, so there is no second commit
            found = sorted(line.split(":" if line[0] == "~" else " =")[0]
                           for line in run("diff", *arguments, status=status).splitlines())
            assert found == expected, (seed, arguments, set(found) ^ set(expected))


# Graphs: what is shared and cyclic. Between commits most objects are known to be equal by their numbers, between blobs
# none is: both must find the same.

def random_graphs(rounds):
    shared = 0
    for seed in range(rounds):
        make = """math.randomseed(%d, %d) local R = math.random local n = R(2, 25) local all = {_home}
            for i = 2, n do all[i] = {v = R(3)} end
            for i = 1, R(n, 3 * n) do all[R(n)]['k' .. R(6)] = all[R(n)] end
            for i = 2, n do all[R(i - 1)]['to' .. i] = all[i] end
            local function of(t) return function() return t end end
            if R(2) == 1 then for i = 1, R(20) do all[R(n)].f = of(all[R(n)]) end end"""
        change = """math.randomseed(%d, %d) local R = math.random
            local all, seen = {_home}, {[_home] = true}
            local i = 1 while all[i] do
            local keys = {} for k in pairs(all[i]) do keys[#keys + 1] = k end table.sort(keys)
            for _, k in ipairs(keys) do local v = all[i][k] if type(v) == 'table' and not seen[v] then
            seen[v] = true all[#all + 1] = v end end i = i + 1 end
            for i = 1, R(0, 4) do local t, k = all[R(#all)], 'k' .. R(6)
            if R(4) == 1 and type(t[k]) == 'table' then
            local copy = {} for a, b in pairs(t[k]) do copy[a] = b end t[k] = copy
            elseif R(3) == 1 then t.v = R(3) elseif R(2) == 1 then t[k] = nil else t[k] = all[R(#all)] end end"""
        commits(make % (seed, 1), change % (seed, 2))
        if len(run("log").splitlines()) < 3:
            continue  # nothing was changed
        with open("1.blob", "rb") as one, open("2.blob", "rb") as two:
            status = 2 if not one.read(1) or not two.read(1) else None
        assert status is None
        between = subprocess.run([hearth, "diff", "1.blob", "2.blob"], capture_output=True)
        assert between.returncode < 2, between.stderr
        expected = [line.replace("root ", "_home ") for line in lines(between.stdout.decode())]
        found = lines(run("diff", "--at", "1", status=between.returncode))
        assert found == sorted(expected), (seed, found, expected)
        shared += any(line[0] == "&" for line in found)
    assert shared > 0 or rounds < 10


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    cases()
    externals()
    usage()
    random_trees(8)
    random_graphs(25)
print(f"{passed} runs as expected")
