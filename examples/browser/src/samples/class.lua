-- A class: its objects keep their metatable, and the methods
-- are stored as functions, with the code and all.
local Account = _home.Account or {}
_home.Account = Account
Account.__index = Account

function Account.open(owner)
  return setmetatable({ owner = owner, balance = 0, log = {} }, Account)
end

function Account:deposit(amount)
  self.balance = self.balance + amount
  self.log[#self.log + 1] = { amount = amount, at = os.date "%H:%M:%S" }
  return self
end

function Account:__tostring()
  return self.owner .. " has " .. self.balance
end

_home.accounts = _home.accounts or {
  ada = Account.open "Ada",
  bruno = Account.open "Bruno",
}

_home.accounts.ada:deposit(10):deposit(2.5)
_home.accounts.bruno:deposit(7)
print(_home.accounts.ada)
print(_home.accounts.bruno)
