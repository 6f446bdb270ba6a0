-- The part of the machine that every script shares (lock-machine.ts is its reference).
-- Expects: key, now, compact (the record where it is known to be a string, else false), and in ARGV[1] the terms of the
-- store: "fenceMemory countable prefix", where countable is 1 when a PUBLISH count of 0 means that nobody listens, and
-- prefix what the channels' names begin with.
-- A record has one of two forms. The compact one is a string:
--   "lock1 - fence released"                                          nobody holds
--   "lock1 at id span first share block who released"                 one holds, and nothing is special: its deadline
--     is at + span, it was granted at first ("=": at), and its last fence is first + block - 1; its share is
--     "units/capacity", or "*" for all of what a mutex has
--   fence and at have 16 digits (until the year 2286), span 12, so that the lean paths know where things stand; Redis
--   hashes each byte of each string that Lua sees, so that a shorter record is a faster one
--   "lock1+at id …" and lines: the same for a holder that knows of those who wait, if they are few: a line "alive next",
--   and then for each of them, the head first, "seq waiter"
-- The general one is a hash: v, capacity, fence, ids (of the holders, in order), released, first and next (seq of
-- the head and of the next waiter), count (of waiters), alive, done, forced ("id until …" of the holds that were ended by
-- force, the oldest first); and
--   h:<id>  "deadline units last span flags"      i:<id>  "first since who"
--   q:<seq> waiter      w:<id>  seq
--   r:<id>  why that hold was revoked, without spaces, of a revoked holder or one that was ended by force
-- flags: 1 told, 2 revoked, 4 kept. "-" stands for no released id in the compact form.
-- The builds of before know neither forced nor r:, and do all the rest as this one: they only lose the reasons.
-- A waiter is "end subscribed keep claim size seal until alive since ttl guard block hold". A release finds there what
-- the next hold is made of: end, the earlier of until and alive, 16 digits; keep, in how many milliseconds a claim is
-- over; claim and size, the span and the fences of one; and hold, "id span = share size who", as in the compact record.
local SIGN_OF_LIFE, CLAIM_WINDOW, WHOLE = 15000000, 2000000, 1073741824
local MOST_FORCED = 64
local FEW = 8 -- as many waiters stand in a compact record: it is read and written as a whole
local fenceMemory, countable, prefix = string.match(ARGV[1], '^(%d+) (%d) (.*)$')
fenceMemory = tonumber(fenceMemory)
local r = {}
if not compact then
  r = redis.pcall('HMGET', key, 'v', 'capacity', 'fence', 'ids', 'released', 'first', 'next', 'count', 'alive', 'done',
    'forced')
  if r.err then -- a string after all, or what is no record
    r, compact = {}, redis.call('GET', key)
  elseif r[1] ~= '1' and (r[1] or redis.call('EXISTS', key) == 1) then
    local kind = redis.call('HEXISTS', key, 'latch') == 1 and ' a latch' or ''
    return redis.error_reply(r[1] and 'LOCKNEWER ' .. r[1] or 'LOCKFOREIGN' .. kind)
  end
end
if compact and not string.find(compact, '^lock1[ +]') then
  local version = string.match(compact, '^lock(%d+)[ +]')
  return redis.error_reply(version and 'LOCKNEWER ' .. version or 'LOCKFOREIGN')
end
local absent = not compact and not r[1]
local capacity, fence = tonumber(r[2] or 0), tonumber(r[3] or 0)
local released = r[5] or ''
local first, next, count = tonumber(r[6] or 1), tonumber(r[7] or 1), tonumber(r[8] or 0)
local alive, done = tonumber(r[9] or 0), tonumber(r[10] or 0)
-- touched: written at the commit; gone: removed by it; line: the waiters of a compact record by seq.
local ids, holders, used, dirty, touched, gone, line = {}, {}, 0, false, {}, {}, {}
-- Holds that were ended by force: { id, until, reason }, the reason only of those that are new.
local forced = {}
for each, until_ in string.gmatch(r[11] or '', '(%S+) (%d+)') do
  forced[#forced + 1] = { id = each, until_ = tonumber(until_) }
end

-- Units and capacity.
local function sharesOf(share)
  if share == '*' then
    return WHOLE, WHOLE
  end
  local units, capacity_ = string.match(share, '^(%d+)/(%d+)$')
  return tonumber(units), tonumber(capacity_)
end

local function shareOf(units)
  return units == WHOLE and capacity == WHOLE and '*' or string.format('%.0f/%.0f', units, capacity)
end

local function text(number)
  return string.format('%.0f', number)
end

for each in string.gmatch(r[4] or '', '%S+') do
  ids[#ids + 1] = each
  local fields = redis.call('HMGET', key, 'h:' .. each, 'i:' .. each)
  local deadline, units, last, span, flags = string.match(fields[1], '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  local first_, since, who = string.match(fields[2], '^(%d+) (%d+) (.*)$')
  flags = tonumber(flags)
  holders[each] = {
    deadline = tonumber(deadline),
    units = tonumber(units),
    last = tonumber(last),
    span = tonumber(span),
    told = flags % 2 == 1,
    revoked = flags % 4 > 1 and (redis.call('HGET', key, 'r:' .. each) or ''),
    kept = flags > 3,
    first = tonumber(first_),
    since = tonumber(since),
    who = who,
  }
  used = used + units
end

local function waiterIn(raw, seq)
  local w = { seq = seq }
  local until_, alive_, ttl, guard, block, share
  w.subscribed, w.seal, until_, alive_, w.since, ttl, guard, block, w.id, share, w.who = string.match(raw,
    '^%d+ (%d) %d+ %d+ %d+ (%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) %d+ = (%S+) %d+ (.*)$')
  w.units = sharesOf(share)
  w.until_, w.alive = tonumber(until_), tonumber(alive_)
  w.ttl, w.guard, w.block = tonumber(ttl), tonumber(guard), tonumber(block)
  return w
end

-- How long a pushed grant is good for, and how many fences it has: no more than it has microseconds, so that a claim
-- that dies may not carry the fence ahead of the clock.
local function claimOf(w)
  local span = math.min(CLAIM_WINDOW, w.ttl)
  return span, w.units == capacity and math.min(w.block, span) or 1
end

local function rawOf(w)
  local claim, size = claimOf(w)
  return string.format('%016.0f %s %.0f %.0f %.0f %s %.0f %.0f %s %.0f %.0f %.0f %s %012.0f = %s %.0f %s',
    math.min(w.until_, w.alive), w.subscribed, math.ceil((claim + w.guard) / 1000), claim, size, w.seal, w.until_,
    w.alive, w.since, w.ttl, w.guard, w.block, w.id, claim + w.guard, shareOf(w.units), size, w.who)
end

if compact then
  local alone, queue = compact, nil
  if string.byte(compact, 6) == 43 then -- '+'
    alone, alive, next, queue = string.match(compact, '^(.-)\n(%d+) (%d+)\n(.*)$')
    alive, next = tonumber(alive), tonumber(next)
    for seq, raw in string.gmatch(queue, '(%d+) ([^\n]*)') do
      count, seq = count + 1, tonumber(seq)
      if count == 1 then
        first = seq
      end
      line[seq] = waiterIn(raw, seq)
    end
  end
  local at_, id_, span, first_, share, block, who, released_ =
    string.match(alone, '^lock1.(%d+) (%S+) (%d+) (%S+) (%S+) (%d+) (.*) (%S+)$')
  if id_ then
    first_ = tonumber(first_ == '=' and at_ or first_)
    fence = first_ + block - 1
    ids[1], released = id_, released_
    used, capacity = sharesOf(share)
    holders[id_] = { deadline = at_ + span, units = used, last = fence, span = tonumber(span), told = count > 0,
      revoked = false, kept = false, first = first_, since = first_, who = who }
    touched[id_] = true
  else
    fence, released = string.match(alone, '^lock1 %- (%d+) (%S+)$')
    fence = tonumber(fence)
  end
  if released == '-' then
    released = ''
  end
end

-- Makes what follows possible on a full server, too, since it is a write that needs no room; the commit sets the expiry
-- again.
local function persist()
  redis.call('PERSIST', key)
  dirty = true
end

local function touch(each)
  touched[each] = true
  dirty = true
end

local function drop(each)
  gone[#gone + 1] = each
  touched[each] = nil
  used = used - holders[each].units
  holders[each] = nil
  for place, other in ipairs(ids) do
    if other == each then
      table.remove(ids, place)
      break
    end
  end
  dirty = true
end

-- Removes what is stored of a hold that was ended by force.
local function forget(end_)
  gone[#gone + 1] = end_.id
  dirty = true
end

local function forcedAt(id)
  for place, end_ in ipairs(forced) do
    if end_.id == id then
      return place
    end
  end
end

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

-- The span is what is left now, so that a shorter renewal takes nothing back of what was promised before.
local function extend(h, span)
  h.deadline = math.max(h.deadline, now + span)
  h.span = h.deadline - now
end

-- The record as a text, where nothing about it is special; nil otherwise.
local function whole()
  if done > now or #ids > 1 or #forced > 0 or count > 0 and (#ids == 0 or not compact) then
    return nil
  end
  local before = released == '' and '-' or released
  if #ids == 0 then
    return string.format('lock1 - %016.0f %s', fence, before)
  end
  local h = holders[ids[1]]
  if h.told ~= (count > 0) or h.revoked or h.kept or fence ~= h.last or h.since ~= h.first or h.deadline < h.span then
    return nil
  end
  local at = h.deadline - h.span
  local alone = string.format('lock1%s%016.0f %s %012.0f %s %s %.0f %s %s', h.told and '+' or ' ', at, ids[1], h.span,
    h.first == at and '=' or text(h.first), shareOf(h.units), h.last - h.first + 1, h.who, before)
  if count == 0 then
    return alone
  end
  local lines = { alone, string.format('%.0f %.0f', alive, next) }
  for seq = first, next - 1 do
    if line[seq] then
      lines[#lines + 1] = seq .. ' ' .. rawOf(line[seq])
    end
  end
  return table.concat(lines, '\n')
end

local function writeWaiter(w)
  redis.call('HSET', key, 'q:' .. w.seq, rawOf(w), 'w:' .. w.id, w.seq)
end

-- Makes room for fields: the compact form ends here, and the commit writes what it said.
local function spread()
  if compact then
    redis.call('APPEND', key, '') -- changes nothing, and fails on a full server, which DEL would not
    redis.call('DEL', key)
    compact = false
    for _, w in pairs(line) do
      writeWaiter(w)
    end
    line = {}
  end
end

local function seqOf(each)
  if not compact then
    return tonumber(redis.call('HGET', key, 'w:' .. each) or nil)
  end
  for seq, w in pairs(line) do
    if w.id == each then
      return seq
    end
  end
end

local function writeAll()
  spread()
  for _, each in ipairs(gone) do
    redis.call('HDEL', key, 'h:' .. each, 'i:' .. each, 'r:' .. each)
  end
  for each in pairs(touched) do
    local h = holders[each]
    local flags = (h.told and 1 or 0) + (h.revoked and 2 or 0) + (h.kept and 4 or 0)
    redis.call('HSET', key,
      'h:' .. each, string.format('%.0f %.0f %.0f %.0f %d', h.deadline, h.units, h.last, h.span, flags),
      'i:' .. each, string.format('%.0f %.0f %s', h.first, h.since, h.who))
    if h.revoked then
      redis.call('HSET', key, 'r:' .. each, h.revoked)
    end
  end
  if #forced > 0 then
    local ends = {}
    for place, end_ in ipairs(forced) do
      ends[place] = end_.id .. ' ' .. text(end_.until_)
      if end_.reason then
        redis.call('HSET', key, 'r:' .. end_.id, end_.reason)
        end_.reason = nil
      end
    end
    redis.call('HSET', key, 'forced', table.concat(ends, ' '))
  elseif r[11] then
    redis.call('HDEL', key, 'forced')
  end
  if count == 0 then
    redis.call('HDEL', key, 'first', 'next', 'count', 'alive')
  else
    redis.call('HSET', key, 'first', first, 'next', next, 'count', count, 'alive', text(alive))
  end
  redis.call('HSET', key, 'v', '1', 'capacity', text(capacity), 'fence', text(fence),
    'ids', table.concat(ids, ' '), 'released', released, 'done', text(done))
end

-- Writes what has changed. The record lives as long as a holder or a waiter may, and until the clock has passed
-- the fence.
local function commit()
  if absent and #ids == 0 and count == 0 then
    return
  end
  if #ids == 0 and count == 0 then
    capacity = 0
  end
  if count == 0 then
    first, next, alive = 1, 1, 0
  end
  local latest = math.max(now, done, fence + 1)
  for _, each in ipairs(ids) do
    latest = math.max(latest, holders[each].deadline)
  end
  for _, end_ in ipairs(forced) do
    latest = math.max(latest, end_.until_)
  end
  if count > 0 then
    latest = math.max(latest, alive)
  end
  if latest == now and fenceMemory == 0 then
    redis.call('DEL', key)
    absent, compact = true, nil
  else
    local record = whole()
    local expiry = text(math.ceil((latest + fenceMemory) / 1000))
    if record then
      redis.call('SET', key, record, 'PXAT', expiry)
    else
      writeAll()
      redis.call('PEXPIREAT', key, expiry)
    end
    absent, compact = false, record
  end
  gone, touched, dirty = {}, {}, false
  if compact and ids[1] then
    touched[ids[1]] = true -- its fields have to be written when the record takes the general form
  end
end

local function save()
  if dirty then
    commit()
  end
end

-- False when the server knows that nobody listens; an error (PUBLISH denied) is no such knowledge.
local function push(to, notice)
  save()
  local heard = redis.pcall('PUBLISH', prefix .. string.match(to, '^[^.]*'), notice .. ' ' .. key)
  return heard ~= 0 or countable ~= '1'
end

local function waiterAt(seq)
  if compact then
    return line[seq]
  end
  local raw = redis.call('HGET', key, 'q:' .. seq)
  return raw and waiterIn(raw, seq)
end

local function putWaiter(w)
  dirty = true
  if compact and (line[w.seq] or count < FEW) then
    line[w.seq] = w
  else
    spread()
    writeWaiter(w)
  end
end

local function enqueue(w)
  w.seq = next
  putWaiter(w)
  next, count, alive = next + 1, count + 1, math.max(alive, w.alive)
end

local function dequeue(w)
  if compact then
    line[w.seq] = nil
  else
    redis.call('HDEL', key, 'q:' .. w.seq, 'w:' .. w.id)
  end
  count = count - 1
  if count == 0 then
    first, next, alive = 1, 1, 0
  end
  dirty = true
end

local function grant(w, span)
  local from = math.max(fence + 1, now)
  fence = from + (w.units == capacity and math.min(w.block, span) or 1) - 1
  holders[w.id] = { deadline = now + span + w.guard, units = w.units, last = fence, span = span + w.guard,
    told = count > 0, revoked = false, kept = false, first = from, since = now, who = w.who }
  ids[#ids + 1] = w.id
  used = used + w.units
  touch(w.id)
  return holders[w.id]
end

local function flag(truth)
  return truth and 1 or 0
end

local function grantByNotice(w)
  local span = claimOf(w)
  local before = fence
  local h = grant(w, span)
  if w.subscribed == '1' and not push(w.id, string.format('g %s %.0f %.0f %.0f %.0f %d %d %s', w.id, now, h.first,
    span, h.last - h.first + 1, flag(h.told), flag(done > now), w.seal)) then
    drop(w.id) -- nobody heard: its process is gone
    fence = before
  end
end

local function grantHeads(caller)
  while count > 0 do
    local head = waiterAt(first)
    if not head then
      first = first + 1 -- that one left the queue
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
        if used + head.units > capacity then
          return
        end
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

-- The unused rest of a fence block goes back, unless somebody was granted since.
local function giveBack(each, lastUsed)
  local h = holders[each]
  local last = math.min(h.last, math.max(lastUsed, h.first - 1))
  if fence == h.last then
    fence = last
  end
  h.last = last
end

-- What is said of a hold that is not there: it was ended by force, or it is not known.
local function ended(id)
  if forcedAt(id) then
    return { 'revoked', now, redis.call('HGET', key, 'r:' .. id) or '' }
  end
  return { 'lost', now }
end
