-- downgrade: gives units of a hold back, then grants the next; it never takes more.
-- KEYS: 1 the record
-- ARGV: 1 fenceMemory  2 channel prefix  3 count is known  4 id  5 units  6 used
-- Returns: downgraded, now | lost, now
local key, id = KEYS[1], ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local r = redis.call('HMGET', key, 'v', 'capacity', 'fence', 'ids', 'released', 'first', 'next', 'count', 'alive', 'done')
-- @include _head.lua
if not r[1] then
  return { 'lost', now }
end
local fenceMemory = tonumber(ARGV[1])
-- @include _machine.lua
redis.call('PERSIST', key) -- a write that a full server allows; the commit sets the expiry again
expire()
local h = holders[id]
local units = tonumber(ARGV[5])
if h and not h.kept and h.units > units then
  giveBack(h, firstFenceOf(id), tonumber(ARGV[6]))
  used = used - h.units + units
  h.units = units
  put(id)
end
grantHeads('')
commit()
return { (h and not h.kept) and 'downgraded' or 'lost', now }
