-- release: ends holds or leaves queues, then grants the next; a repeat has the same answer.
-- KEYS: the records, each once
-- ARGV: 1 terms ("fenceMemory countable prefix", see record.lua); then for each key
--       id, used, idle (ms to keep an idle record; '0' deletes it) or "idle keep done"
-- Returns: now, when each of them is released, and -now when somebody who waited has one of them now; or for each key
--   now for that, or { released, now } | { dequeued, now } | { gone, now } | an error
local STRIDE = 3
local keys, args, sub, try = KEYS, ARGV, string.sub, redis.pcall
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local nowText = time[1] .. string.sub('00000' .. time[2], -6)
local idleKeys -- the records to delete, if any
local plain = now -- the one answer for all keys

-- @include hand-on.lua

-- The compact form: `id` is the only holder, and nobody waits, or the head takes all that the holder has.
local function lean(key, record, at)
  local id, used, idle = args[at], args[at + 1], args[at + 2]
  if not record or string.find(record, id, ID, true) ~= ID or string.byte(record, ID + #id) ~= SPACE
    or string.byte(record, MARK - 1) ~= ONE then
    return nil
  end
  local since = sub(record, AT, AT_END)
  local from = since + 0
  if from + sub(record, SPAN + #id, SPAN_END + #id) <= now or from >= now then
    return nil
  end
  if string.byte(record, MARK) ~= SPACE then
    return handOn(key, record, id, used, idle)
  end
  if used ~= since or string.byte(record, FIRST + #id) ~= EQUALS then
    -- The rest of the block is returned (giveBack). What the client says of it is bounded by the block: at least the
    -- fence before its first, at most its last.
    local first, block = string.match(record, '^(%S+) %S+ (%d+) ', FIRST + #id)
    first = first == '=' and from or tonumber(first)
    local fence = math.min(first + block - 1, math.max(tonumber(used), first - 1))
    if fence >= now then
      return nil
    end
    used = string.format('%016.0f', fence)
  end
  if not tonumber(idle) then
    return nil
  elseif idle == '0' then
    idleKeys = idleKeys or {}
    idleKeys[#idleKeys + 1] = key
  else
    set(key, 'lock1 - ' .. used .. ' ' .. id, 'PX', idle)
  end
  return now
end

local records = redis.call('MGET', unpack(keys))
-- @include lean-path.lua
if idleKeys then
  redis.call('DEL', unpack(idleKeys))
end
-- The common end. What is rare comes after it: a closure or a table that is not made costs nothing.
if not replies then
  return plain
end

local function general(key, at, compact)
  local id, lastUsed = args[at], tonumber(args[at + 1])
  -- @include record.lua
  -- @include rules.lua
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
    else
      local place = forcedAt(id)
      if place then
        forget(table.remove(forced, place)) -- nobody asks for its reason any more
      end
      if released == id then
        outcome = 'released'
      end
    end
  end
  if outcome == 'released' and doneFor > 0 then
    done = now + doneFor
  end
  grantHeads('')
  save()
  return { outcome, now }
end

-- @include general-path.lua
