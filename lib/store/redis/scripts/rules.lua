-- The rules of a lock, in the order of lock-machine.ts, which is their reference and says why each of them is there.
-- Expects what record.lua defines.

-- Lease, revocation: what ends by time.

local function expire()
  if done > 0 and done <= now then
    done = 0
    dirty = true
  end
  for place = #ids, 1, -1 do
    local each = ids[place]
    local h = holders[each]
    if h.deadline > now + h.span then
      h.deadline = now + h.span
      touch(each)
    end
    if h.deadline <= now then
      drop(each)
    end
  end
  for place = #forced, 1, -1 do
    if forced[place].until_ <= now then
      forget(table.remove(forced, place))
    end
  end
end

-- Never shortens a hold: an earlier answer promised its deadline.
local function extend(h, span)
  h.deadline = math.max(h.deadline, now + span)
  h.span = h.deadline - now
end

-- Fence, block.

local function grant(w, span)
  local from = math.max(fence + 1, now)
  fence = from + (w.units == capacity and math.min(w.block, span) or 1) - 1
  holders[w.id] = { deadline = now + span + w.guard, units = w.units, last = fence, span = span + w.guard,
    contended = count > 0, revoked = false, kept = false, first = from, since = now, identity = w.identity }
  ids[#ids + 1] = w.id
  used = used + w.units
  touch(w.id)
  return holders[w.id]
end

-- Returns the unused rest of a fence block, unless somebody was granted since.
local function giveBack(each, lastUsed)
  local h = holders[each]
  local last = math.min(h.last, math.max(lastUsed, h.first - 1))
  if fence == h.last then
    fence = last
  end
  h.last = last
end

-- Queue, sign of life.

local function enqueue(w)
  w.seq = next
  putWaiter(w)
  next, count, alive = next + 1, count + 1, math.max(alive, w.alive)
end

local function dequeue(w)
  removeWaiter(w)
  count = count - 1
  if count == 0 then
    first, next, alive = 1, 1, 0
  end
end

-- Note.

-- What a notice says of the note: a build that knows no notes takes it for a part of the seal, and asks.
local function notedInNotice()
  local text_ = noted()
  return text_ and '#' .. text_ or ''
end

-- Hand-off, claim, seal.

-- False when the server knows that nobody listens; an error (PUBLISH denied) is no such knowledge.
local function push(to, notice)
  save()
  local heard = redis.pcall('PUBLISH', prefix .. string.match(to, '^[^.]*'), notice .. ' ' .. key)
  return heard ~= 0 or countable ~= '1'
end

local function flag(truth)
  return truth and 1 or 0
end

local function grantByNotice(w)
  local span = claimOf(w)
  local before = fence
  local h = grant(w, span)
  if w.subscribed == '1' and not push(w.id, string.format('g %s %.0f %.0f %.0f %.0f %d %d %s', w.id, now, h.first,
    span, h.last - h.first + 1, flag(h.contended), flag(done > now), w.seal .. server .. notedInNotice())) then
    drop(w.id) -- nobody heard: its process is gone
    fence = before
  end
end

local function grantHeads(caller)
  while count > 0 do
    local head = waiterAt(first)
    if not head then
      first = first + 1 -- this one has left the queue
      dirty = true
    else
      local alive_ = math.min(head.alive, now + SIGN_OF_LIFE)
      if head.until_ <= now or alive_ <= now then
        dequeue(head)
      else
        if alive_ < head.alive then
          head.alive = alive_
          putWaiter(head)
        end
        if used + head.units > capacity then return end
        dequeue(head)
        if head.id == caller then
          grant(head, head.ttl)
        else
          grantByNotice(head)
        end
      end
    end
  end
end

-- Revocation.

local function forcedAt(id)
  for place, end_ in ipairs(forced) do
    if end_.id == id then return place end
  end
end

-- The answer about a hold that does not exist: it was ended by force, or it is not known.
local function ended(id)
  if forcedAt(id) then return { 'revoked', now, redis.call('HGET', key, 'r:' .. id) or '' } end
  return { 'lost', now }
end

-- The answer about a hold that its id may not change any more, or that does not exist.
local function over(id)
  local h = holders[id]
  if h and h.revoked and not h.kept then return { 'revoked', now, h.revoked } end
  return ended(id)
end
