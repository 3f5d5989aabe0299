-- Two closures over one variable. They share it now, and they
-- will share it after a reload: open both in the tree.
local function make_counter()
  local count = 0
  return {
    up = function(by)
      count = count + (by or 1)
      return count
    end,
    get = function() return count end,
  }
end

_home.counter = _home.counter or make_counter()

_home.counter.up(3)
print("up by three, and get says", _home.counter.get())
