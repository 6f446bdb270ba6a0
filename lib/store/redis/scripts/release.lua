-- release: ends a hold or leaves the queue, then grants the next; a repeat has the same answer.
-- KEYS: 1 the record
-- ARGV: 1 fenceMemory  2 channel prefix  3 count is known  4 id  5 used  6 keep  7 done
-- Returns: released, now | dequeued, now | gone, now
local key, id = KEYS[1], ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local r = redis.call('HMGET', key, 'v', 'capacity', 'fence', 'ids', 'released', 'first', 'next', 'count', 'alive', 'done',
  'h:' .. id, 'i:' .. id)
-- @include _head.lua
if not r[1] then
  return { 'gone', now }
end
local fenceMemory = tonumber(ARGV[1])

-- The lean path: the only holder, nobody waits. The first write is one that a full server allows.
if r[4] == id and not r[8] and ARGV[6] == '0' and ARGV[7] == '0' then
  local deadline, units, last = string.match(r[11], '^(%d+) (%d+) (%d+) ')
  if tonumber(deadline) > now and units == r[2] then
    -- Since nothing else was granted beside an exclusive hold, the rest of its block goes back. What the
    -- client says of it is bounded by the block: at least the fence before its first, at most its last.
    local fence = tonumber(r[3])
    if r[3] == last then
      fence = math.min(fence, math.max(tonumber(ARGV[5]), string.match(r[12], '^%d+') - 1))
    end
    local latest = math.max(now, tonumber(r[10] or 0), fence)
    if fenceMemory == 0 and latest == now then
      redis.call('DEL', key)
      return { 'released', now }
    end
    redis.call('PEXPIREAT', key, string.format('%.0f', math.ceil((latest + fenceMemory) / 1000)))
    redis.call('HDEL', key, 'ids', 'h:' .. id, 'i:' .. id)
    redis.call('HSET', key, 'fence', string.format('%.0f', fence), 'released', id)
    return { 'released', now }
  end
end

-- @include _machine.lua
redis.call('PERSIST', key) -- a write that a full server allows; the commit sets the expiry again
expire()
local outcome = 'gone'
local h = holders[id]
if h then
  local keep = tonumber(ARGV[6])
  giveBack(h, firstFenceOf(id), tonumber(ARGV[5]))
  released = id
  if keep > 0 then
    h.kept = true
    h.deadline = math.min(h.deadline, now + keep)
    put(id)
  else
    drop(id)
  end
  if ARGV[7] ~= '0' then
    done = now + ARGV[7]
  end
  outcome = 'released'
else
  local seq = redis.call('HGET', key, 'w:' .. id)
  if seq then
    dequeue(waiterAt(seq))
    outcome = 'dequeued'
  elseif released == id then
    outcome = 'released'
    if ARGV[7] ~= '0' then
      done = now + ARGV[7]
    end
  end
end
grantHeads('')
commit()
return { outcome, now }
