-- Run by embed.c. What is in _home is there again at the next start.
_home.starts = (_home.starts or 0) + 1
if _home.starts == 1 then
  local here = host.point(1, 2)
  _home.hero = { at = here, on_hit = host.shout, walk = function(dx, dy) return here:move(dx, dy) end }
  _home.hero.self = _home.hero
end
local hero = _home.hero.self
hero.walk(10, 0.5)
hero.on_hit("start " .. _home.starts .. ", the hero is at " .. tostring(hero.at))
