-- Cycles and shared references stay what they are: no copies.
local garden = { name = "garden" }
local kitchen = { name = "kitchen" }
local hall = { name = "hall", doors = { garden, kitchen } }
garden.doors = { hall }
kitchen.doors = { hall, garden }

_home.house = { rooms = { hall, kitchen, garden }, you_are_in = hall }

local here = _home.house.you_are_in
print("from the " .. here.name .. " to the " .. here.doors[1].name ..
  " and back to the " .. here.doors[1].doors[1].name)
print("the same hall?", here.doors[1].doors[1] == here)
