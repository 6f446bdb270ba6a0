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
  local since, first, last, units, capacity, span, block
  local numbers = 8 + #id
  if type(record) == 'string' and string.sub(record, 1, numbers - 1) == 'lock1 ' .. id .. ' ' then
    since, first, last, units, capacity, span, block =
      string.match(record, '^(%d+) (%d+) (%S+) %S+ (%d+) (%d+) (%d+) (%d+) ', numbers)
  end
  if not since or units ~= capacity or since + span <= now then
    return general(key, id, tonumber(used), more)
  end
  -- Nothing else was granted beside an exclusive hold, so the rest of its block goes back. What the client says
  -- of it is bounded by the block: at least the fence before its first, at most its last.
  local fence = used
  if used < first or #used ~= 16 or last ~= '-' or used - first >= tonumber(block) then
    fence = math.min(last == '-' and first + block - 1 or tonumber(last), math.max(tonumber(used), first - 1))
    fence = string.format('%.0f', fence)
  end
  if tonumber(fence) >= now then
    return general(key, id, tonumber(used), more)
  end
  if idle == '0' then
    redis.call('DEL', key)
  else
    local whole = 'lock1 - ' .. fence .. ' ' .. id
    -- A full server refuses a first write that may need room. After one that needs none it allows the rest.
    local set = redis.pcall('SET', key, whole, 'PX', idle)
    if set.err then
      redis.call('PERSIST', key)
      redis.call('SET', key, whole, 'PX', idle)
    end
  end
  return now
end

-- @include _each.lua
