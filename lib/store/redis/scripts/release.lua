-- release: ends holds or leaves queues, then grants the next; a repeat has the same answer.
-- KEYS: the records, each once
-- ARGV: 1 terms ("fenceMemory countable prefix", see _machine.lua); then for each key
--       id, used, idle (ms to keep an idle record; '0' deletes it) or "idle keep done"
-- Returns: now, when each of them is released, and nobody waited; or for each key now for that, or
--   { released, now } | { dequeued, now } | { gone, now } | an error
local STRIDE = 3
local keys, args, sub, try = KEYS, ARGV, string.sub, redis.pcall
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local idleKeys = {}
local SPACE, ONE, SAME = 32, 49, 61 -- the codes of ' ', of '1' in 'lock1', and of '='

local function general(key, at, compact)
  local id, lastUsed = args[at], tonumber(args[at + 1])
  -- @include _machine.lua
  if absent then
    return { 'gone', now }
  end
  local keep, doneFor = string.match(args[at + 2], ' (%d+) (%d+)$')
  keep, doneFor = tonumber(keep or 0), tonumber(doneFor or 0)
  persist()
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
  save()
  return { outcome, now }
end

-- The only holder, nobody waits, nothing about it is special.
local function lean(key, record, at)
  local id, used, idle = args[at], args[at + 1], args[at + 2]
  local span = 25 + #id
  if not record or string.find(record, id, 24, true) ~= 24 or string.byte(record, span - 1) ~= SPACE
    or string.byte(record, 5) ~= ONE then
    return nil
  end
  local since = sub(record, 7, 22)
  local from = since + 0
  if from + sub(record, span, span + 11) <= now or from >= now then
    return nil
  end
  if used ~= since or string.byte(record, span + 13) ~= SAME then
    -- The rest of the block goes back. What the client says of it is bounded by the block: at least the fence before
    -- its first, at most its last.
    local first, block = string.match(record, '^(%S+) %S+ (%d+) ', span + 13)
    first = first == '=' and from or tonumber(first)
    local fence = math.min(first + block - 1, math.max(tonumber(used), first - 1))
    if fence >= now then
      return nil
    end
    used = string.format('%016.0f', fence)
  end
  if idle == '0' then
    idleKeys[#idleKeys + 1] = key
    return now
  elseif not tonumber(idle) then
    return nil
  end
  local whole = 'lock1 - ' .. used .. ' ' .. id
  -- A full server refuses a first write that may need room. After one that needs none it allows the rest.
  local set = try('SET', key, whole, 'PX', idle)
  if set.err then
    redis.call('PERSIST', key)
    redis.call('SET', key, whole, 'PX', idle)
  end
  return now
end

local records = redis.call('MGET', unpack(keys))
-- @include _lean.lua
if #idleKeys > 0 then
  redis.call('DEL', unpack(idleKeys))
end
-- @include _each.lua
