-- release: ends holds or leaves queues, then grants the next; a repeat has the same answer.
-- KEYS: the records
-- ARGV: 1 fenceMemory  2 channel prefix  3 count is known; then for each key
--       id, used, idle (ms to keep an idle record; '0' deletes it), more ('' or "keep done")
-- Returns for each key: now (a number: released), or
--   { released, now } | { dequeued, now } | { gone, now } | an error
local STRIDE = 4
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function general(key, id, lastUsed, more)
  local fenceMemory, prefix, countable = tonumber(ARGV[1]), ARGV[2], ARGV[3]
  -- @include _machine.lua
  if absent then
    return { 'gone', now }
  end
  local keep, doneFor = string.match(more, '^(%d+) (%d+)$')
  keep, doneFor = tonumber(keep or 0), tonumber(doneFor or 0)
  redis.call('PERSIST', key) -- a write that a full server allows; the commit sets the expiry again
  expire()
  local outcome = 'gone'
  local h = holders[id]
  if h then
    giveBack(id, lastUsed)
    released = id
    if keep > 0 then
      h.kept = true
      h.deadline = math.min(h.deadline, now + keep)
      touch(id)
    else
      drop(id)
    end
    outcome = 'released'
  else
    local seq = seqOf(id)
    if seq then
      dequeue(waiterAt(seq))
      outcome = 'dequeued'
    elseif released == id then
      outcome = 'released'
    end
  end
  if outcome == 'released' and doneFor > 0 then
    done = now + doneFor
  end
  grantHeads('')
  commit()
  return { outcome, now }
end

local function serve(key, at)
  local id, used, idle, more = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  -- The lean path: the only holder, nobody waits, nothing about it is special.
  local record = more == '' and redis.pcall('GET', key)
  local holder, since, first, last, units, capacity, span, block
  if type(record) == 'string' then
    holder, since, first, last, units, capacity, span, block =
      string.match(record, '^lock1 (%S+) (%d+) (%d+) (%S+) %S+ (%d+) (%d+) (%d+) (%d+) ')
  end
  if holder ~= id or units ~= capacity or since + span <= now then
    return general(key, id, tonumber(used), more)
  end
  -- Nothing else was granted beside an exclusive hold, so the rest of its block goes back. What the client says
  -- of it is bounded by the block: at least the fence before its first, at most its last.
  local fence = math.min(last == '-' and first + block - 1 or tonumber(last), math.max(tonumber(used), first - 1))
  if fence >= now then
    return general(key, id, tonumber(used), more)
  end
  if idle == '0' then
    redis.call('DEL', key)
  else
    redis.call('PERSIST', key) -- a write that a full server allows, and what follows it too
    redis.call('SET', key, 'lock1 - ' .. string.format('%.0f', fence) .. ' ' .. id, 'PX', idle)
  end
  return now
end

-- @include _each.lua
