-- downgrade: gives units of holds back, then grants the next; it never takes more.
-- KEYS: the records, each once
-- ARGV: 1 terms ("fenceMemory countable prefix", see record.lua); then for each key
--       id, units, used
-- Returns for each key: { downgraded, now } | { lost, now } | { revoked, now, reason } | an error
local STRIDE = 3
-- @include begin.lua
-- @include no-lean-path.lua

local function general(key, at, compact)
  local id, units = args[at], tonumber(args[at + 1])
  -- @include record.lua#general
  -- @include rules.lua
  if absent then return { 'lost', now } end
  persist()
  expire()
  local h = holders[id]
  if h and not h.kept and h.units > units then
    giveBack(id, tonumber(args[at + 2]))
    used = used - h.units + units
    h.units = units
    touch(id)
  end
  grantHeads('')
  save()
  if h and not h.kept then return { 'downgraded', now } end
  return ended(id)
end

-- @include general-path.lua
