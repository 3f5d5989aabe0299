-- A coroutine cannot be stored, and Hearth says where it is.
_home.players = {
  { name = "Ada", score = 3 },
  { name = "Bruno", score = 1 },
}

_home.players[2].script = coroutine.create(function()
  coroutine.yield "waiting"
end)

print "Now commit: the error names the path."

-- Nothing was stored, and nothing is lost. Take it out and
-- commit again, or roll back:
--   _home.players[2].script = nil
