-- renew: moves the deadline of a hold forward and confirms a pushed grant; never creates a hold.
-- KEYS: 1 the record
-- ARGV: 1 fenceMemory  2 channel prefix  3 count is known  4 id  5 ttl  6 guard  7 block  8 used  9 notAfter or ''
-- Returns: renewed, now, last, waiting | lost, now | revoked, now | late, now
local key, id = KEYS[1], ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if ARGV[9] ~= '' and now > tonumber(ARGV[9]) then
  return { 'late', now }
end
local r = redis.call('HMGET', key, 'v', 'capacity', 'fence', 'ids', 'released', 'first', 'next', 'count', 'alive', 'done',
  'h:' .. id)
-- @include _head.lua
if not r[1] then
  return { 'lost', now }
end
local fenceMemory, span = tonumber(ARGV[1]), ARGV[5] + ARGV[6]
local block, lastUsed = tonumber(ARGV[7]), tonumber(ARGV[8])

-- The lean path: the only holder, nobody waits, nothing about it is special.
if r[4] == id and not r[8] then
  local deadline, units, last, before, flags = string.match(r[11], '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  deadline, last = tonumber(deadline), tonumber(last)
  if flags == '0' and deadline > now and deadline <= now + before then
    local fence = tonumber(r[3])
    if units == r[2] and last == fence then
      last = math.max(last, lastUsed + block)
      fence = last
    end
    deadline = math.max(deadline, now + span)
    -- PEXPIREAT first: a full server allows it, and what follows it too.
    redis.call('PEXPIREAT', key,
      string.format('%.0f', math.ceil((math.max(deadline, tonumber(r[10] or 0), fence) + fenceMemory) / 1000)))
    redis.call('HSET', key, 'fence', string.format('%.0f', fence),
      'h:' .. id, string.format('%.0f %s %.0f %.0f 0', deadline, units, last, deadline - now))
    return { 'renewed', now, last, 0 }
  end
end

-- @include _machine.lua
redis.call('PERSIST', key) -- a write that a full server allows; the commit sets the expiry again
expire()
local h = holders[id]
local usable = h and not h.kept and not h.revoked
if usable then
  extend(h, span)
  if h.units == capacity and h.last == fence then
    h.last = math.max(h.last, lastUsed + block)
    fence = h.last
  end
  put(id)
end
grantHeads('')
if usable then
  h.told = count > 0
  put(id)
end
commit()
if not h or h.kept then
  return { 'lost', now }
end
if h.revoked then
  return { 'revoked', now }
end
return { 'renewed', now, h.last, flag(h.told) }
