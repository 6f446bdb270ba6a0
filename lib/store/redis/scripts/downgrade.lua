-- downgrade: gives units of holds back, then grants the next; it never takes more.
-- KEYS: the records
-- ARGV: 1 fenceMemory  2 channel prefix  3 count is known; then for each key
--       id, units, used
-- Returns for each key: { downgraded, now } | { lost, now } | an error
local STRIDE = 3
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function serve(key, at)
  local fenceMemory, prefix, countable = tonumber(ARGV[1]), ARGV[2], ARGV[3]
  local id, units = ARGV[at + 1], tonumber(ARGV[at + 2])
  -- @include _machine.lua
  if absent then
    return { 'lost', now }
  end
  redis.call('PERSIST', key) -- a write that a full server allows; the commit sets the expiry again
  expire()
  local h = holders[id]
  if h and not h.kept and h.units > units then
    giveBack(id, tonumber(ARGV[at + 3]))
    used = used - h.units + units
    h.units = units
    touch(id)
  end
  grantHeads('')
  commit()
  return { (h and not h.kept) and 'downgraded' or 'lost', now }
end

-- @include _each.lua
