-- acquire: grants the lock, keeps a place in its queue, or says who holds it; for each of the keys.
-- KEYS: the records, each once
-- ARGV: 1 terms ("fenceMemory countable prefix", see record.lua); then for each key
--       keep (ms from now to keep the record of a fresh grant),
--       hold ("id span = share block identity", as in the compact record; the block is what a grant reserves),
--       ask ("notAfter guard wait subscribed block seal", notAfter with 16 digits)
-- Returns: now, when each of them is granted, and nobody waits (the first fence is now); or for each key now for that, or
--   { granted, now, first, last, contended, done[, note] } | { queued, now, place, heard, due, holder }
--   | { busy, now, due, holder, roused } | { mismatch, now, capacity, roused } | { gone, now } | { late, now } | an error
local STRIDE = 3
-- @include begin.lua
-- @include record.lua#lean-acquire

-- Without fence memory a record without a holder is rare: it is found by the SET that fails.
local records = args[1]:byte() == ZERO and {} or redis.call('MGET', unpack(keys))
-- @include lean-path.lua
-- The common end. What is rare comes after it: a closure or a table that is not made costs nothing.
if not replies then return now end

local function general(key, at, compact)
  -- @include record.lua#general
  -- @include rules.lua
  local id, span, share, identity = string.match(args[at + 1], '^(%S+) (%d+) = (%S+) %d+ (.*)$')
  local guard, wait, subscribed, block, seal = string.match(args[at + 2], '^%d+ (%d+) (%d+) (%d) (%d+) (%S+)$')
  local units, wanted = sharesOf(share)
  guard, wait, block = tonumber(guard), tonumber(wait), tonumber(block)
  local ttl = span - guard
  local seq = seqOf(id)
  if seq then
    persist() -- a sign of life is no new data
    local mine = waiterAt(seq)
    alive = math.max(alive, now + SIGN_OF_LIFE)
    mine.alive, mine.until_ = alive, math.max(mine.until_, now + wait)
    mine.subscribed, mine.seal = subscribed, seal
    mine.ttl, mine.guard, mine.block, mine.identity = ttl, guard, block, identity
    putWaiter(mine)
  end
  expire()
  grantHeads(id)

  local function granted()
    local h = holders[id]
    h.contended = count > 0
    touch(id)
    commit()
    return { 'granted', now, h.first, h.last, flag(h.contended), flag(done > now), noted() }
  end

  -- When the next hold ends, and who holds.
  local function present()
    local due = math.huge
    for _, each in ipairs(ids) do
      due = math.min(due, holders[each].deadline)
    end
    return due, holders[ids[1]].identity
  end

  -- Tells a holder that may linger that its name is wanted.
  local function rouse()
    for _, each in ipairs(ids) do
      local holder = holders[each]
      if string.byte(each, -1) == PLUS and holder.units == capacity
        and not (holder.contended or holder.revoked or holder.kept) then
        return flag(push(each, 'w ' .. each))
      end
    end
    return 0
  end

  -- The echo shows both sides whether the way to the session works.
  local function queued()
    local seq_ = seqOf(id)
    if not seq_ then
      commit()
      return { 'gone', now }
    end
    local mine = waiterAt(seq_)
    local heard = mine.subscribed ~= '1' or push(id, 'e ' .. id)
    if not heard then
      mine.subscribed = '0'
      putWaiter(mine)
    end
    save()
    return { 'queued', now, mine.seq - first, flag(heard), present() }
  end

  local h = holders[id]
  if h then
    if h.kept or h.revoked then
      commit()
      return { 'gone', now }
    end
    extend(h, ttl + guard)
    return granted()
  end
  if id == released or forcedAt(id) then
    commit()
    return { 'gone', now }
  end
  if seq then return queued() end
  if #ids == 0 and count == 0 then
    capacity = wanted
  elseif capacity ~= wanted then
    save()
    return { 'mismatch', now, capacity, rouse() }
  end
  local request = { id = id, units = units, ttl = ttl, guard = guard, block = block, identity = identity }
  if count == 0 and used + units <= capacity then
    grant(request, ttl)
    return granted()
  end
  if wait == 0 then
    save()
    local due, holder = present()
    return { 'busy', now, due, holder, rouse() }
  end
  request.until_, request.alive = now + wait, now + SIGN_OF_LIFE
  request.subscribed, request.since, request.seal = subscribed, nowText, seal
  enqueue(request)
  for _, each in ipairs(ids) do
    local holder = holders[each]
    if holder.units == capacity and not holder.contended then
      holder.contended = true
      touch(each)
      push(each, 'c ' .. each)
      break
    end
  end
  return queued()
end

-- @include general-path.lua
