-- release: ends holds or leaves queues, then grants the next; a repeat has the same answer.
-- KEYS: the records, each once
-- ARGV: 1 terms ("fenceMemory countable prefix", see machine.lua); then for each key
--       id, used, idle (ms to keep an idle record; '0' deletes it) or "idle keep done"
-- Returns: now, when each of them is released, and -now when somebody who waited has one of them now; or for each key
--   now for that, or { released, now } | { dequeued, now } | { gone, now } | an error
local STRIDE = 3
local keys, args, sub, try = KEYS, ARGV, string.sub, redis.pcall
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local nowText = time[1] .. string.sub('00000' .. time[2], -6)
local idleKeys -- those that go, if any
local plain = now -- what is said once of all
local SIGN_OF_LIFE = 15000000
local SPACE, ONE, SAME, ALL = 32, 49, 61, 42 -- the codes of ' ', of '1' in 'lock1', of '=' and of '*'

-- A write that a full server refuses, if it comes first; after one that needs no room it allows the rest.
local function set(key, record, unit, expiry)
  local done = try('SET', key, record, unit, expiry)
  if done.err then
    redis.call('PERSIST', key)
    redis.call('SET', key, record, unit, expiry)
  end
end

-- The head of the queue takes all that the holder had, as the general path would have it do. All texts are there
-- already: to make one of a number takes longer than to find it.
local function handOn(key, record, id, used, idle)
  local place = 38 + #id
  local share = place + 2
  if string.byte(record, place) ~= SAME then
    local first = tonumber(sub(record, place, place + 15))
    share = first and first <= now and place + 17 or place -- else the next fence is not now
  end
  if used + 0 >= now or string.byte(record, share) ~= ALL or not tonumber(idle) then
    return nil
  end
  local times, finish, keep, extent, seal, hold, head, rest = string.match(record,
    '^(%d+ %d+)\n%d+ (%d+) 1 (%d+) (%d+ %d+) (%S+) %d+ %d+ %d+ %d+ %d+ %d+ ((%S+) %d+ = %* [^\n]*)()',
    string.find(record, '\n', place, true) + 1)
  if not head or finish + 0 <= now then
    return nil
  end
  local form, told, queue = 'lock1 ', '0', ''
  if rest <= #record then
    local finish_, alive = string.match(record, '^\n%d+ (%d+) %d %d+ %d+ %d+ %S+ %d+ (%d+)', rest)
    if finish_ + 0 <= now or alive - now > SIGN_OF_LIFE then
      return nil -- the next in line is not what it was
    end
    form, told, queue = 'lock1+', '1', '\n' .. times .. sub(record, rest)
    keep = math.max(keep, math.ceil((sub(times, 1, 16) - now) / 1000))
  end
  set(key, form .. nowText .. ' ' .. hold .. ' ' .. id .. queue, 'PX', keep + idle)
  local countable, prefix = string.match(args[1], '^%d+ (%d) (.*)$')
  local session = sub(head, 1, string.find(head, '.', 1, true) - 1)
  local heard = try('PUBLISH', prefix .. session,
    'g ' .. head .. ' ' .. nowText .. ' = ' .. extent .. ' ' .. told .. ' 0 ' .. seal .. ' ' .. key)
  if heard == 0 and countable == '1' then
    redis.call('SET', key, record, 'KEEPTTL') -- the head is gone: the general path finds who is next
    return nil
  end
  plain = -now
  return now
end

-- The only holder, nothing about it is special; nobody waits, or a head that takes all.
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
  if string.byte(record, 6) ~= SPACE then
    return handOn(key, record, id, used, idle)
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
-- The common end, said once. What is rare comes after it: a closure or a table that is not made costs nothing.
if not replies then
  return plain
end

local function general(key, at, compact)
  local id, lastUsed = args[at], tonumber(args[at + 1])
  -- @include machine.lua
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
