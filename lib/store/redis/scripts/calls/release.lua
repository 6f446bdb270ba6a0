-- release: ends holds or leaves queues, then grants the next; a repeat has the same answer.
-- KEYS: the records, each once
-- ARGV: 1 terms ("fenceMemory countable prefix", see record.lua); then for each key
--       id, used, idle (ms to keep an idle record; '0' deletes it) or "idle keep done"
-- Returns: now, when each of them is released, and -now when somebody who waited has one of them now; or for each key
--   now for that, or { released, now } | { dequeued, now } | { gone, now } | an error
local STRIDE = 3
-- @include begin.lua
local idleKeys -- the records to delete, if any
local plain = now -- the one answer for all keys

-- @include record.lua#lean-release

local records = redis.call('MGET', unpack(keys))
-- @include lean-path.lua
if idleKeys then
  redis.call('DEL', unpack(idleKeys))
end
-- The common end. What is rare comes after it: a closure or a table that is not made costs nothing.
if not replies then return plain end

local function general(key, at, compact)
  local id, lastUsed = args[at], tonumber(args[at + 1])
  -- @include record.lua#general
  -- @include rules.lua
  if absent then return { 'gone', now } end
  local keep, doneFor = string.match(args[at + 2], ' (%d+) (%d+)$')
  keep, doneFor = tonumber(keep or 0), tonumber(doneFor or 0)
  persist()
  expire()
  local outcome = 'gone'
  local h = holders[id]
  if h then
    giveBack(id, lastUsed)
    released = id
    if keep > 0 and not h.revoked then
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
