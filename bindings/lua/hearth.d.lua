---@meta hearth

---Durable Lua values: a codec for any Lua value graph, and stores that keep one table, `_home`, from one
---process to the next.
---
---Wrong arguments raise. Failures of storage and of data come back as `nil, message, code`, as Lua's `io` does it.
---@class hearth
---@field version string the library's version, "0.1.0"
local hearth = {}

---What went wrong, in one word. The list is in `hearth_status.h`.
---@alias hearth.code
---| "pending" # accepted by an asynchronous store; completion comes later
---| "nomem" # memory exhausted; nothing changed
---| "invalid" # a wrong argument, option, URI or path
---| "unstorable" # a value that cannot be stored; the message has its path
---| "damaged" # bytes that are not what Hearth wrote; the message has the position
---| "version" # written by a newer format than this library reads
---| "lua" # a prototype that does not fit this Lua
---| "refused" # untrusted decode met a function, a permanent or a metatable
---| "unknown" # a permanent or a registered type that this program does not know
---| "limit" # a limit was exceeded
---| "seal" # a prototype without the right seal
---| "raised" # Lua code that was called raised an error
---| "busy" # another owner has the store, or the store was re-entered
---| "dead" # the store failed earlier, or another one has taken it; it must be reopened
---| "full" # no space left; nothing was written
---| "io" # input or output failed; the store is dead afterwards, and the last commit may be there when opened again
---| "conflict" # a check in the batch failed; nothing was written
---| "stale" # the store moved on under a reader, or the handle's table is gone
---| "readonly" # a write to a store that was opened read-only, or cannot be written
---| "notfound" # no store there
---| "notstore" # what is there is not a Hearth store
---| "replaced" # the program replaced the global `_home`
---| "cycle" # rebuilding functions that need each other's results
---| "closed" # the store was closed
---| "toobig" # a key of an external table over 1,024 bytes, or a batch over the backend's limit
---| "foreign" # an external entry that would refer to the home graph or to another store
---| "unsupported" # the backend cannot do this
---| "exists" # there is a store already
---| "insecure" # the browser offers no locks here
---| "lost" # the browser lost a store that was there

---When a commit answers.
---@alias hearth.durability
---| "visible" # readable by this process
---| "complete" # survives the process, not a power loss
---| "durable" # flushed to the device

---The global `Memory`, the legacy name of `_home`.
---@alias hearth.alias
---| "off" # none
---| "on" # a plain global
---| "track" # resolved on use; uses are counted and their places remembered
---| boolean # true: "on", false: "off"

---A keyed hash that signs every stored function. See `hearth.seal`.
---@class hearth.seal

---@class hearth.encode_options
---@field canonical? boolean the same value gives the same bytes; a table with two table or function keys is refused
---@field strip? boolean functions without debug information
---@field permanents? table further permanents: value -> name
---@field modules_by_value? boolean modules of `package.loaded` that are not registered are written as data, not refused
---@field seal? hearth.seal signs every function
---@field max_bytes? integer the longest output, in bytes; 0: no limit

---@class hearth.decode_options
---@field trusted? boolean everything: functions, permanents and metatables. Only for bytes that you wrote yourself
---@field functions? boolean allows Lua functions
---@field permanents? boolean|table true allows what is known by name, C functions too; a table adds name -> value
---@field metatables? boolean allows metatables and what they bring: `__gc`, `__persist`, userdata
---@field placeholders? boolean stand-ins for unknown permanents and functions that do not fit; written back unchanged
---@field seal? hearth.seal refuses every function that it did not sign
---@field max_bytes? integer the longest input, in bytes; 0: no limit
---@field max_memory? integer the most memory, in bytes, that the values may take, estimated; 0: no limit

---What `warn` raises goes to Lua's `warn`, with the line. That is also its default, which the program `lua` has off
---until `warn "@on"` or `-W`.
---@class hearth.open_options
---@field readonly? boolean takes no lock and writes nothing
---@field create? boolean false: "notfound" where no store is; default true
---@field exclusive? boolean true: "exists" where a store is
---@field functions? boolean false refuses Lua functions, on open and on commit, and no others; default true
---@field strip? boolean functions are stored without debug information
---@field modules_by_value? boolean unregistered modules are stored as data, not refused
---@field placeholders? boolean stand-ins for unknown permanents, which keep their names when they are committed again
---@field alias? hearth.alias default "off"
---@field durability? hearth.durability of commits that do not say theirs; default: the best of the backend
---@field seal? hearth.seal signs every function, and refuses to read one that it did not sign
---@field page_size? integer bytes, 64 to 1,048,576, for a new store; default 4,096
---@field at? integer with readonly: the store as it was after this commit, of those that `hearth log` lists
---@field keep? integer how many last commits stay for `at` when the store compacts itself; default 0
---@field warn? fun(line: string) told of what is no failure, a torn tail that was cut off, say; default: Lua's `warn`

---Turns any value into bytes: tables, functions with their upvalues, metatables, cycles.
---```lua
---local bytes = assert(hearth.encode(_G.world, {strip = true}))
---```
---@param value any
---@param options? hearth.encode_options
---@return string|nil bytes
---@return string? message with the path of what cannot be stored: "root.players[3].f: a coroutine cannot be stored"
---@return hearth.code? code
function hearth.encode(value, options) end

---Turns bytes into the value. Without options the bytes are not trusted: data only, no functions, no metatables.
---Since nil may be the value, look at the message:
---```lua
---local value, message = hearth.decode(bytes)
---if message then error(message) end
---```
---@param bytes string
---@param options? hearth.decode_options
---@return any value
---@return string? message
---@return hearth.code? code
function hearth.decode(bytes, options) end

---Encodes as Eris and Pluto do: `permanents` maps values to names. Raises on failure.
---@param permanents table
---@param value any
---@return string bytes
---@overload fun(value: any): string
function hearth.persist(permanents, value) end

---Decodes what `persist` gave; `permanents` maps names to values. The bytes are trusted: only for bytes that
---you wrote yourself. Raises on failure.
---@param permanents table
---@param bytes string
---@return any value
---@overload fun(bytes: string): any
function hearth.unpersist(permanents, bytes) end

---A seal by libsodium (keyed BLAKE2b). Checksums detect damage; only a seal detects an attacker.
---@param key string 32 bytes, kept secret by you
---@return hearth.seal|nil seal nil where Hearth was built without libsodium
---@return string? message
---@return hearth.code? code
function hearth.seal(key) end

---Gives a function, table or userdata a name by which it is stored. Do so before opening a store that uses the
---name. A name that is given again means the new value.
---@param name string
---@param value function|table|userdata
function hearth.register_permanent(name, value) end

---Makes a module's functions, and its tables that hold functions or serve as metatables, permanents
---`name.field`, recursively. Other tables in it are data and stored by value. So saves survive edits of the module.
---@param name string
---@param module table
function hearth.register_module(name, module) end

---@class hearth.type
---@field name string by which the type is stored
---@field metatable table of the objects
---@field encode fun(object: any): any gets an object and returns one value that stands for it
---@field decode fun(value: any): any gets that value and returns the object

---Registers a type: objects (userdata or tables) with this metatable are stored through a pair of functions.
---@param type hearth.type
function hearth.register_type(type) end

---Loads a binary chunk, as `string.dump` wrote it, like `load(bytes, name, "b", globals)`, but behind a check of its
---structure: a damaged one, which may crash `load`, is "damaged" here, and one whose numbers are of other sizes "lua".
---The check does not verify instructions: calling a function that an attacker made is as unsafe as with `load`.
---@param bytes string
---@param globals? table for the function's first upvalue; default: the globals table
---@return function? f
---@return string? message
---@return hearth.code? code
function hearth.load_chunk(bytes, globals) end

---The names of the permanent tables whose fields are not what they were when they were registered: such changes
---are not stored.
---@return string[] names
function hearth.changed_permanents() end

---Opens a store, and makes it where none is. URIs: `memory:` and `file:PATH`; for another scheme S the module
---`hearth.S` is required, which holds the backend: `sqlite:PATH`, `postgresql://HOST/DATABASE#NAME`, or anyone's.
---
---The store stays open as long as the userdata lives: until it is closed, until it goes out of scope (`<close>`),
---or until it is collected. An installed store lives as long as the environment it is installed in. Neither
---closing nor collecting it commits; afterwards its home table is a plain table that nothing saves.
---```lua
---local store <close> = assert(hearth.open "file:world.hearth")
---store:install()
---_home.visits = (_home.visits or 0) + 1
---assert(store:commit())
---```
---@param uri string
---@param options? hearth.open_options
---@return hearth.store|nil store
---@return string? message
---@return hearth.code? code
function hearth.open(uri, options) end

---@class hearth.store
---@field home table the home table: a plain Lua table. Raises once the store is closed
---@field uri string as it was given to `hearth.open`
local store = {}

---Stores what changed since the last commit, as one atomic batch. Nothing changed: nothing is written. When it
---fails nothing changed in memory, and nothing on disk either, unless the code is "io": then the store is dead, and
---what it was to store is there or not, as a whole, when it is opened again.
---
---An asynchronous store (in the browser) returns true and "pending": accepted, and complete later, or `store:poll`
---tells why not. Then the next commit stores everything.
---@param durability? hearth.durability
---@return true|nil ok
---@return "pending"|string|nil message
---@return hearth.code? code
function store:commit(durability) end

---What became of pending commits: true when all reached their level, true and "pending" when some have not, or the
---failure of one, told once: it and those after it are not stored, `_home` stays as it is, and the next commit
---stores everything.
---@return true|nil ok
---@return "pending"|string|nil message
---@return hearth.code? code
function store:poll() end

---Back to the last commit, in the same tables. "busy" while a commit is pending.
---@return true|nil ok
---@return string? message
---@return hearth.code? code
function store:rollback() end

---Commits what is outstanding, calls `f`, and commits again: returns true and what `f` returned. When `f` raises, rolls
---back to before `f` and raises the error again. Raises when called inside a transaction of the same store; `f` cannot
---yield. When a commit fails, rolls back and returns nil, message, code: so `assert` it.
---@param f fun(...): ...
---@param ... any arguments for `f`
---@return true|nil ok
---@return any ...
function store:transaction(f, ...) end

---A new external table: its entries stay outside the Lua heap. In an installed environment this is `ext.table()`.
---@return hearth.external|nil table
---@return string? message
---@return hearth.code? code
function store:table() end

---Gives back space, and collects cycles among external tables.
---@param options? { keep?: integer } keep: so many last commits stay readable
---@return true|nil ok
---@return string? message
---@return hearth.code? code
function store:compact(options) end

---A read-only store reads again what is there now, into the same tables.
---@return true|nil ok
---@return string? message
---@return hearth.code? code
function store:refresh() end

---@class hearth.storage_stat
---@field sequence integer number of the last complete batch; 0: none yet
---@field durable integer number of the last batch known durable
---@field entries integer entries that can be read
---@field live_bytes integer bytes of their keys and values
---@field total_bytes integer bytes that the store occupies
---@field index_bytes integer memory that the backend keeps for itself
---@field synced integer how often the device was asked to flush, since open
---@field written integer bytes written since open

---@class hearth.stat
---@field backend string "file", "memory"
---@field home_id integer homeTableId
---@field memory_id integer memoryTableId, as read or as written last (then it is homeTableId); 0: the store has none
---@field next_id integer nextTableId
---@field saved_at integer milliseconds since 1970 of the last commit that wrote; 0: never
---@field objects integer objects of the last commit
---@field externals integer external tables
---@field committed_entries integer entries that the last commit put or deleted
---@field committed_bytes integer their bytes
---@field alias_uses integer uses of `Memory`, counted while the policy is "track"
---@field alias_places string[] where that was, as store:alias_places() gives it
---@field page_size integer bytes
---@field storage hearth.storage_stat figures of the backend

---@return hearth.stat|nil stat
---@return string? message
---@return hearth.code? code
function store:stat() end

---Sets `_home` and `ext`, and `Memory` by policy, in an environment (default: the globals), which becomes the
---permanent `_G` of this store: stored functions get it as their globals. Install before you change anything: where
---the environment is not the globals table itself, the store is read again for that. The store then lives as long as
---the environment, until it is closed.
---@param env? table
---@return true|nil ok
---@return string? message
---@return hearth.code? code
function store:install(env) end

---Sets the policy for the legacy name `Memory`, in the environment that the store is installed in. A global `Memory`
---of another value gives way to "on" and "track"; "off" leaves it. With "track" the metatable of the environment
---resolves the name, and goes on to what its `__index` and `__newindex` were; assigning another value to it raises, and
---each place is warned of once, by `warn` (in the lua program: after `warn "@on"`). A program that sets those
---fields or another metatable itself afterwards ends that: set the policy again.
---@param policy hearth.alias
---@return true|nil ok
---@return string? message
---@return hearth.code? code
function store:alias(policy) end

---Where `Memory` was used while the policy was "track", at most 100 places, oldest first: "source:line";
---"source:first-last", the lines of the function, where it has no debug information; "[C]" or "[C] called from
---source:line" for C code.
---@return string[]|nil places
---@return string? message
---@return hearth.code? code
function store:alias_places() end

---Closes without committing. Closing a closed store does nothing.
---@return true|nil ok
---@return string? message
---@return hearth.code? code
function store:close() end

---A table whose entries stay outside the Lua heap: a read decodes one entry, unless it is read often and still at hand
---(at most 1 MiB of a store), a write encodes one. Keys are booleans, numbers and strings. Assigning a plain table
---copies it into an external table of its own. `pairs`, `#` and indexing work; `next` and `rawset` do not.
---@class hearth.external
---@field [boolean|number|string] any its entries

---The globals that `store:install()` sets.
---@type table
_home = {}

---@class hearth.ext
ext = {}

---A new external table of the installed store.
---@return hearth.external
function ext.table() end

---The entries of an external table with `from` <= key <= `to` in the order of keys (booleans, then numbers, then
---strings by their bytes); nil is an open end.
---```lua
---for time, event in ext.scan(_home.log, yesterday, now) do print(time, event) end
---```
---@param t hearth.external
---@param from? boolean|number|string
---@param to? boolean|number|string
---@param reverse? boolean from the last entry to the first
---@return fun(): any, any iterator
function ext.scan(t, from, to, reverse) end

---Is the value an external table?
---@param value any
---@return boolean
function ext.is(value) end

return hearth
