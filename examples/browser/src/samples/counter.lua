-- _home is an ordinary Lua table. What is in it when you
-- commit is there again when you open this page next time.
_home.visits = (_home.visits or 0) + 1

_home.greet = _home.greet or function(name)
  return "hello " .. name .. ", run " .. _home.visits
end

print(_home.greet "you")

-- Run it, commit, reload the page, and run it again.
