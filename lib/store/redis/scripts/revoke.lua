-- revoke: marks the holders (their renewals are refused, their sessions told); with force it frees the units at once.
-- KEYS: 1 the record
-- ARGV: 1 fenceMemory  2 channel prefix  3 count is known  4 reason (without spaces)  5 force
-- Returns: marked, now, count | freed, now, count
local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local force = ARGV[5] == '1'
local outcome = force and 'freed' or 'marked'
local r = redis.call('HMGET', key, 'v', 'capacity', 'fence', 'ids', 'released', 'first', 'next', 'count', 'alive', 'done')
-- @include _head.lua
if not r[1] then
  return { outcome, now, 0 }
end
local fenceMemory = tonumber(ARGV[1])
-- @include _machine.lua
redis.call('PERSIST', key) -- a write that a full server allows; the commit sets the expiry again
expire()
local revoked = {}
for _, each in ipairs(ids) do
  if not holders[each].kept then
    revoked[#revoked + 1] = each
  end
end
for _, each in ipairs(revoked) do
  if force then
    drop(each)
  else
    holders[each].revoked = true
    put(each)
  end
end
for _, each in ipairs(revoked) do
  push(each, 'r ' .. each .. ' ' .. ARGV[4])
end
grantHeads('')
commit()
return { outcome, now, #revoked }
