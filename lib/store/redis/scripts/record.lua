-- The record of a name: all that knows where things stand in it stands here, for both of its forms.
-- docs/architecture-record.md shows them with examples.
--
-- The compact form is a string. It is for the common case: nobody holds, or one attempt holds and nothing about it is
-- special. Redis hashes each byte of each string that Lua sees, so a shorter record is a faster one.
--   "lock1 - fence released"                              nobody holds
--   "lock1 at id span first share block identity released"  one holds. Its deadline is at + span; it was granted at
--                                                         `first` ("=" for at); its last fence is first + block - 1;
--                                                         its share is "units/capacity", or "*" for a whole mutex
--   "lock1+at id …", and lines: "alive next", then "seq waiter" for each waiter, the head first: one holds and knows that
--                                                         a few wait
--   `released` is the id that was released last, "-" for none.
--   fence and at have 16 digits (until the year 2286), span 12: the lean paths read them by their place.
--
-- The general form is a hash:
--   v (format), capacity, fence, ids (of the holders, in the order of their grants), released, done
--   first and next (seq of the head and of the next waiter), count (of waiters) and alive, while some wait
--   forced   "id until …" of the holds that were ended by force, the oldest first
--   h:<id>   "deadline units last span flags"; flags: 1 contended, 2 revoked, 4 kept
--   i:<id>   "first since identity"
--   r:<id>   the reason (without spaces) of a hold that was revoked, or ended by force
--   note     "id turn text" (the text without spaces): what a holder left for later ones
--   q:<seq>  waiter
--   w:<id>   seq
-- A version of the library that knows neither forced nor r:<id> nor note leaves them alone, and only loses the reasons and
-- the note.
--
-- A waiter is "end subscribed keep claim size seal until alive since ttl guard block hold" in both forms. Its first and
-- last fields are what a lean hand-off needs ready as text:
--   end      the earlier of until and alive, 16 digits
--   keep     in how many milliseconds its claim is over; claim and size are the claim's span and number of fences
--   hold     "id span = share size identity", as in the compact form
--
-- `npm run lua` embeds the parts of this file one by one. It puts the numbers in the place of their names, and a text in
-- the place of each of its calls: functions would make every script a tenth slower.

-- Where things stand in the compact form while one holds. SPAN, SPAN_END and FIRST: so many bytes more than #id.
local MARK = 6 -- ' ', or '+' when others wait and the holder knows it
local AT = 7
local AT_END = 22
local ID = 24
local SPAN = 25
local SPAN_END = 36
local FIRST = 38
-- And while nobody holds.
local FENCE = 9
local FENCE_END = 24
local RELEASED = 26
-- The last byte of a time or a fence, counted from its first.
local TIME_TAIL = 15

-- Codes of characters.
local SPACE = 32
local STAR = 42
local PLUS = 43
local DASH = 45
local ZERO = 48
local ONE = 49
local EQUALS = 61

-- As many waiters fit into a compact record, which is read and written as a whole.
local FEW = 8

-- As in lock-machine.ts and latch-machine.ts; a test compares them.
local SIGN_OF_LIFE = 15000000
local CLAIM_WINDOW = 2000000
local WHOLE = 1073741824
local MOST_FORCED = 64
local MOST_PAST = 8

-- The compact form as text.
local function idleRecord(fence, released) return 'lock1 - ' .. fence .. ' ' .. released end
local function heldRecord(mark, at, hold, released) return 'lock1' .. mark .. at .. ' ' .. hold .. ' ' .. released end
local function text(number) return string.format('%.0f', number) end
local function timeText(micros) return string.format('%016.0f', micros) end
local function spanText(micros) return string.format('%012.0f', micros) end
local function holdLine(id, span, first, share, block, identity)
  return id .. ' ' .. span .. ' ' .. first .. ' ' .. share .. ' ' .. block .. ' ' .. identity
end

-- The hash { v = '1' } as DUMP gives it, in an encoding that every server reads (RDB version 6).
local function bareHash() return '\004\001\001v\0011\006\000\063\172\144\121\049\167\090\037' end

-- The lean paths: lean(key, record, at) does what the general path would do, for a record whose form it knows, and answers
-- `now`; or it returns nil (or false), with nothing changed. The arguments of the key begin at args[at].
-- Each of them expects what begin.lua defines; that of release also idleKeys, the keys to delete, if there are any, and
-- `plain`, the one answer for all keys.

-- @part lean-acquire

-- Somebody holds all of a mutex, nobody waits, and a newcomer wants all of it: it becomes the first waiter, or is told that
-- the lock is busy. Returns nil, with nothing changed, when the general path has to decide.
local function meet(key, record, hold, ask)
  local since, holder, span, first, block, identity, released =
    string.match(record, '^lock1 (%d+) (%S+) (%d+) (%S+) %* (%d+) (.*) (%S+)$')
  local id, extent, own = string.match(hold, '^(%S+) (%d+) = %* %d+ (.*)$')
  if not since or not id or id == holder or id == released then return nil end
  local fence = (first == '=' and since or first) + block - 1
  local deadline = since + span
  if deadline <= now or since + 0 > now then return nil end
  local guard, wait, subscribed, most, seal = string.match(ask, '^%d+ (%d+) (%d+) (%d) (%d+) (%S+)$')
  local memory, countable, _, prefix = string.match(args[1], '^(%d+) (%d)(%S*) (.*)$')
  -- 1 unless the server knows that nobody listens.
  local function told(to, notice)
    local heard = try('PUBLISH', prefix .. string.match(to, '^[^.]*'), notice .. to .. ' ' .. key)
    return (heard ~= 0 or countable ~= '1') and 1 or 0
  end
  if wait == '0' then
    return { 'busy', now, deadline, identity, string.byte(holder, -1) == PLUS and told(holder, 'w ') or 0 }
  end
  local ttl, finish, alive = extent - guard, now + wait, now + SIGN_OF_LIFE
  local claim = math.min(CLAIM_WINDOW, ttl)
  local size = text(math.min(most, claim))
  local after = string.format(' %.0f %.0f %s %s %.0f %.0f %s %.0f %s %s %s', math.ceil((claim + guard) / 1000), claim, size,
    seal, finish, alive, nowText, ttl, guard, most,
    holdLine(id, spanText(claim + guard), '=', '*', size, own))
  local head = 'lock1+' .. sub(record, AT) .. '\n' .. text(alive) .. ' 2\n1 ' .. timeText(math.min(finish, alive)) .. ' '
  local expiry = text(math.ceil((math.max(deadline, fence + 1, alive) + memory) / 1000))
  local set = try('SET', key, head .. subscribed .. after, 'PXAT', expiry)
  if not set.ok then return nil end
  told(holder, 'c ')
  local heard = subscribed ~= '1' and 1 or told(id, 'e ')
  if heard == 0 then
    redis.call('SET', key, head .. '0' .. after, 'PXAT', expiry)
  end
  return { 'queued', now, 0, heard, deadline, identity }
end

-- No record, or a record that nobody holds and whose fence is behind the clock; or somebody has all of it alone.
local function lean(key, record, at)
  local hold, ask = args[at + 1], args[at + 2]
  if now > sub(ask, 1, 16) + 0 then return { 'late', now } end
  local mode, released = 'NX', '-' -- a value that is no string is not overwritten
  if record then
    if string.byte(record, AT) ~= DASH then return meet(key, record, hold, ask) end
    mode, released = 'XX', sub(record, RELEASED)
    local fence = string.find(record, 'lock1 - ', 1, true) == 1 and tonumber(sub(record, FENCE, FENCE_END))
    if not fence or fence >= now or string.find(hold, released, 1, true) == 1 then
      return nil -- the general path finds out whether this id was released, or one that begins alike
    end
  end
  local set = try('SET', key, heldRecord(' ', nowText, hold, released), 'PX', args[at], mode)
  if set then return set.ok and now end
  -- Without fence memory nobody has looked at the record yet.
  record = args[1]:byte() == ZERO and try('GET', key)
  return type(record) == 'string' and meet(key, record, hold, ask)
end

-- @part lean-renew

-- `id` is the only holder, and nobody waits.
local function lean(key, record, at)
  local id = args[at]
  if now > args[at + 1] + 0 then return { 'late', now } end
  if not record or sub(record, ID, ID + #id) ~= id .. ' ' or sub(record, 1, MARK) ~= 'lock1 ' then return nil end
  local since, span = sub(record, AT, AT_END), tonumber(args[at + 3])
  local deadline = since + sub(record, SPAN + #id, SPAN_END + #id)
  local first, share, block, identity, released = string.match(record, '^(%S+) (%S+) (%d+) (.*) (%S+)$', FIRST + #id)
  if first == '=' then
    first = since
  end
  local last = first + block - 1
  if share == '*' or string.find(share, '^(%d+)/%1$') then
    last = math.max(last, args[at + 5] + args[at + 4])
  end
  if deadline <= now or since + 0 > now or deadline > now + span or last >= now + span then return nil end
  redis.call('PERSIST', key) -- a write that a full server allows, and what follows it too
  redis.call('SET', key, heldRecord(' ', nowText,
    holdLine(id, args[at + 3], first, share, last - first + 1, identity), released), 'PX', args[at + 2])
  return nowText .. ' ' .. string.format('%.0f', last)
end

-- @part lean-release

-- The lean hand-off: a release gives a whole mutex to the head of its queue, in one SET and one PUBLISH. The record says of
-- each waiter, as text, what a grant to it would write and push; to make text of a number takes longer.
--
-- It may do so where release() of lock-machine.ts would do the same. It proves, in this order:
--   1. FENCE: the holder was granted in the past, and used no fence of now or later. The next fence is then `now`.
--   2. The holder has the whole mutex, so giving back all of it makes room; and the release neither keeps the units nor
--      marks the name as done.
--   3. The head is subscribed (a head that is not is granted without a notice), wants the whole mutex, and neither its wait
--      nor its sign of life is over.
--   4. SIGN OF LIFE: who comes to the head then, if anybody, is alive too and no clock that stepped back has left it a
--      sign of life too far ahead. Otherwise grantHeads would change or drop it.
-- The pattern for 3 matches nothing else, so a queue of another shape has the general path, too.
-- When nobody hears the notice, the record is put back, and the general path finds the next head.

-- A write that a full server refuses, if it comes first; after one that needs no room the server allows it.
local function set(key, record, unit, expiry)
  local done = try('SET', key, record, unit, expiry)
  if done.err then
    redis.call('PERSIST', key)
    redis.call('SET', key, record, unit, expiry)
  end
end

-- Returns now when the head holds the lock; nil, with nothing changed, when the general path has to decide.
local function handOn(key, record, id, used, idle)
  local place = FIRST + #id
  local share = place + 2
  if string.byte(record, place) ~= EQUALS then
    local first = tonumber(sub(record, place, place + TIME_TAIL))
    share = first and first <= now and place + TIME_TAIL + 2 or place -- else the next fence is not now
  end
  if used + 0 >= now or string.byte(record, share) ~= STAR or not tonumber(idle) then return nil end
  local times, finish, keep, extent, seal, hold, head, rest = string.match(record,
    '^(%d+ %d+)\n%d+ (%d+) 1 (%d+) (%d+ %d+) (%S+) %d+ %d+ %d+ %d+ %d+ %d+ ((%S+) %d+ = %* [^\n]*)()',
    string.find(record, '\n', place, true) + 1)
  if not head or finish + 0 <= now then return nil end
  local mark, contended, queue = ' ', '0', ''
  if rest <= #record then
    local finish_, alive = string.match(record, '^\n%d+ (%d+) %d %d+ %d+ %d+ %S+ %d+ (%d+)', rest)
    if finish_ + 0 <= now or alive - now > SIGN_OF_LIFE then
      return nil -- the next head is not to stay as it is
    end
    mark, contended, queue = '+', '1', '\n' .. times .. sub(record, rest)
    keep = math.max(keep, math.ceil((sub(times, 1, 16) - now) / 1000))
  end
  set(key, heldRecord(mark, nowText, hold, id) .. queue, 'PX', keep + idle)
  local countable, server, prefix = string.match(args[1], '^%d+ (%d)(%S*) (.*)$')
  local session = sub(head, 1, string.find(head, '.', 1, true) - 1)
  local heard = try('PUBLISH', prefix .. session,
    'g ' .. head .. ' ' .. nowText .. ' = ' .. extent .. ' ' .. contended .. ' 0 ' .. seal .. server .. ' ' .. key)
  if heard == 0 and countable == '1' then
    redis.call('SET', key, record, 'KEEPTTL')
    return nil
  end
  plain = -now
  return now
end

-- The compact form: `id` is the only holder, and nobody waits, or the head takes all that the holder has.
local function lean(key, record, at)
  local id, used, idle = args[at], args[at + 1], args[at + 2]
  if not record or string.find(record, id, ID, true) ~= ID or string.byte(record, ID + #id) ~= SPACE
    or string.byte(record, MARK - 1) ~= ONE then
    return nil
  end
  local since = sub(record, AT, AT_END)
  local from = since + 0
  if from + sub(record, SPAN + #id, SPAN_END + #id) <= now or from >= now then return nil end
  if string.byte(record, MARK) ~= SPACE then return handOn(key, record, id, used, idle) end
  if used ~= since or string.byte(record, FIRST + #id) ~= EQUALS then
    -- The rest of the block is returned (giveBack). What the client says of it is bounded by the block: at least the
    -- fence before its first, at most its last.
    local first, block = string.match(record, '^(%S+) %S+ (%d+) ', FIRST + #id)
    first = first == '=' and from or tonumber(first)
    local fence = math.min(first + block - 1, math.max(tonumber(used), first - 1))
    if fence >= now then return nil end
    used = timeText(fence)
  end
  if not tonumber(idle) then
    return nil
  elseif idle == '0' then
    idleKeys = idleKeys or {}
    idleKeys[#idleKeys + 1] = key
  else
    set(key, idleRecord(used, id), 'PX', idle)
  end
  return now
end

-- @part general

-- Loads and saves the record in either form.
-- Expects: key, now, compact (the record where it is known to be a string, else false), and in ARGV[1] the terms of the
-- store: "fenceMemory countable prefix", where countable is 1 when a PUBLISH count of 0 means that nobody listens, and
-- prefix is what the names of channels begin with. In a cluster countable is 0, and in both cases "@server" follows: a
-- grant says which server pushed it, since a replica hands on what its master publishes.

local fenceMemory, countable, server, prefix = string.match(ARGV[1], '^(%d+) (%d)(%S*) (.*)$')
fenceMemory = tonumber(fenceMemory)

-- Load.

local stored = {}
if not compact then
  stored = redis.pcall('HMGET', key, 'v', 'capacity', 'fence', 'ids', 'released', 'first', 'next', 'count', 'alive',
    'done', 'forced', 'note')
  if stored.err then -- a string after all, or what is no record; or we may not ask
    if not string.find(stored.err, 'WRONGTYPE', 1, true) then return redis.error_reply(stored.err) end
    stored, compact = {}, redis.call('GET', key)
  elseif stored[1] ~= '1' and (stored[1] or redis.call('EXISTS', key) == 1) then
    local kind = redis.call('HEXISTS', key, 'latch') == 1 and ' a latch' or ''
    return redis.error_reply(stored[1] and 'LOCKNEWER ' .. stored[1] or 'LOCKFOREIGN' .. kind)
  end
end
if compact and not string.find(compact, '^lock1[ +]') then
  local version = string.match(compact, '^lock(%d+)[ +]')
  return redis.error_reply(version and 'LOCKNEWER ' .. version or 'LOCKFOREIGN')
end
local absent = not compact and not stored[1]
local capacity, fence = tonumber(stored[2] or 0), tonumber(stored[3] or 0)
local released = stored[5] or ''
local first, next, count = tonumber(stored[6] or 1), tonumber(stored[7] or 1), tonumber(stored[8] or 0)
local alive, done = tonumber(stored[9] or 0), tonumber(stored[10] or 0)
local note = stored[12] or ''
-- touched: written at the commit; gone: removed by it; waiters: those of a compact record by seq.
local ids, holders, used, dirty, touched, gone, waiters = {}, {}, 0, false, {}, {}, {}
-- Holds that were ended by force: { id, until, reason }, the reason only of those that are new.
local forced = {}
for each, until_ in string.gmatch(stored[11] or '', '(%S+) (%d+)') do
  forced[#forced + 1] = { id = each, until_ = tonumber(until_) }
end

local function sharesOf(share)
  if share == '*' then return WHOLE, WHOLE end
  local units, capacity_ = string.match(share, '^(%d+)/(%d+)$')
  return tonumber(units), tonumber(capacity_)
end

local function shareOf(units)
  return units == WHOLE and capacity == WHOLE and '*' or string.format('%.0f/%.0f', units, capacity)
end

-- The holders of the general form.
for each in string.gmatch(stored[4] or '', '%S+') do
  ids[#ids + 1] = each
  local fields = redis.call('HMGET', key, 'h:' .. each, 'i:' .. each)
  local deadline, units, last, span, flags = string.match(fields[1], '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  local first_, since, identity = string.match(fields[2], '^(%d+) (%d+) (.*)$')
  flags = tonumber(flags)
  holders[each] = {
    deadline = tonumber(deadline),
    units = tonumber(units),
    last = tonumber(last),
    span = tonumber(span),
    contended = flags % 2 == 1,
    revoked = flags % 4 > 1 and (redis.call('HGET', key, 'r:' .. each) or ''),
    kept = flags > 3,
    first = tonumber(first_),
    since = tonumber(since),
    identity = identity,
  }
  used = used + units
end

-- The waiter in such a text.
local function waiterIn(raw, seq)
  local w = { seq = seq, raw = raw }
  local until_, alive_, ttl, guard, block, share
  w.subscribed, w.seal, until_, alive_, w.since, ttl, guard, block, w.id, share, w.identity = string.match(raw,
    '^%d+ (%d) %d+ %d+ %d+ (%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) %d+ = (%S+) %d+ (.*)$')
  w.units = sharesOf(share)
  w.until_, w.alive = tonumber(until_), tonumber(alive_)
  w.ttl, w.guard, w.block = tonumber(ttl), tonumber(guard), tonumber(block)
  return w
end

-- The compact form.
if compact then
  local alone, queue = compact, nil
  if string.byte(compact, MARK) == PLUS then
    alone, alive, next, queue = string.match(compact, '^(.-)\n(%d+) (%d+)\n(.*)$')
    alive, next = tonumber(alive), tonumber(next)
    for seq, raw in string.gmatch(queue, '(%d+) ([^\n]*)') do
      count, seq = count + 1, tonumber(seq)
      if count == 1 then
        first = seq
      end
      waiters[seq] = waiterIn(raw, seq)
    end
  end
  local at_, id_, span, first_, share, block, identity, released_ =
    string.match(alone, '^lock1.(%d+) (%S+) (%d+) (%S+) (%S+) (%d+) (.*) (%S+)$')
  if id_ then
    first_ = tonumber(first_ == '=' and at_ or first_)
    fence = first_ + block - 1
    ids[1], released = id_, released_
    used, capacity = sharesOf(share)
    holders[id_] = { deadline = at_ + span, units = used, last = fence, span = tonumber(span),
      contended = count > 0, revoked = false, kept = false, first = first_, since = first_, identity = identity }
    touched[id_] = true
  else
    fence, released = string.match(alone, '^lock1 %- (%d+) (%S+)$')
    fence = tonumber(fence)
  end
  if released == '-' then
    released = ''
  end
end

-- Change.

-- A first write that needs no room: after it, a full server allows the others, too. The commit sets the expiry again.
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

local function seqOf(each)
  if not compact then return tonumber(redis.call('HGET', key, 'w:' .. each) or nil) end
  for seq, w in pairs(waiters) do
    if w.id == each then return seq end
  end
end

local function waiterAt(seq)
  if compact then return waiters[seq] end
  local raw = redis.call('HGET', key, 'q:' .. seq)
  return raw and waiterIn(raw, seq)
end

-- What a grant says of the note; nil when there is none, or it was taken back.
local function noted() return string.match(note, ' (%S+)$') end

-- The claim of a pushed grant: how long it lasts, and how many fences it has; no more than it has microseconds.
local function claimOf(w)
  local span = math.min(CLAIM_WINDOW, w.ttl)
  return span, w.units == capacity and math.min(w.block, span) or 1
end

-- A waiter as text, with what a lean hand-off to it would write and say. It is as it was stored, while nothing about it
-- has changed.
local function rawOf(w)
  if w.raw then return w.raw end
  local claim, size = claimOf(w)
  return string.format('%016.0f %s %.0f %.0f %.0f %s %.0f %.0f %s %.0f %.0f %.0f ', math.min(w.until_, w.alive),
    w.subscribed, math.ceil((claim + w.guard) / 1000), claim, size, w.seal, w.until_, w.alive, w.since, w.ttl, w.guard,
    w.block) .. holdLine(w.id, spanText(claim + w.guard), '=', shareOf(w.units), text(size), w.identity)
end

local function writeWaiter(w)
  redis.call('HSET', key, 'q:' .. w.seq, rawOf(w), 'w:' .. w.id, w.seq)
end

-- Ends the compact form, so that fields can be written; the commit writes the rest of what the compact form said.
-- In a cluster the slot may be on its way to another node. Its node then refuses to write a key that is not there, also one
-- that this script has just deleted, and the record would be lost. So there a hash takes the place of the string in one step.
local function toHash()
  if compact then
    if countable ~= '1' then
      redis.call('RESTORE', key, 0, bareHash(), 'REPLACE')
    else
      redis.call('APPEND', key, '') -- changes nothing, and fails on a full server, which DEL would not
      redis.call('DEL', key)
    end
    compact = false
    for _, w in pairs(waiters) do
      writeWaiter(w)
    end
    waiters = {}
  end
end

local function putWaiter(w)
  dirty, w.raw = true, nil
  if compact and (waiters[w.seq] or count < FEW) then
    waiters[w.seq] = w
  else
    toHash()
    writeWaiter(w)
  end
end

local function removeWaiter(w)
  dirty = true
  if compact then
    waiters[w.seq] = nil
  else
    redis.call('HDEL', key, 'q:' .. w.seq, 'w:' .. w.id)
  end
end

-- Save.

-- The record in the compact form, where it has one; nil otherwise. A general record with waiters stays general until
-- the last of them has left.
local function compactForm()
  if done > now or #ids > 1 or #forced > 0 or note ~= '' or count > 0 and (#ids == 0 or not compact) then return nil end
  local before = released == '' and '-' or released
  if #ids == 0 then return idleRecord(timeText(fence), before) end
  local h = holders[ids[1]]
  if h.contended ~= (count > 0) or h.revoked or h.kept or fence ~= h.last or h.since ~= h.first or h.deadline < h.span then
    return nil
  end
  local at = h.deadline - h.span
  local alone = heldRecord(count > 0 and '+' or ' ', timeText(at), holdLine(ids[1], spanText(h.span),
    h.first == at and '=' or text(h.first), shareOf(h.units), text(h.last - h.first + 1), h.identity), before)
  if count == 0 then return alone end
  local lines = { alone, string.format('%.0f %.0f', alive, next) }
  for seq = first, next - 1 do
    if waiters[seq] then
      lines[#lines + 1] = seq .. ' ' .. rawOf(waiters[seq])
    end
  end
  return table.concat(lines, '\n')
end

local function writeHash()
  toHash()
  for _, each in ipairs(gone) do
    redis.call('HDEL', key, 'h:' .. each, 'i:' .. each, 'r:' .. each)
  end
  for each in pairs(touched) do
    local h = holders[each]
    local flags = (h.contended and 1 or 0) + (h.revoked and 2 or 0) + (h.kept and 4 or 0)
    redis.call('HSET', key,
      'h:' .. each, string.format('%.0f %.0f %.0f %.0f %d', h.deadline, h.units, h.last, h.span, flags),
      'i:' .. each, string.format('%.0f %.0f %s', h.first, h.since, h.identity))
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
  elseif stored[11] then
    redis.call('HDEL', key, 'forced')
  end
  if note ~= '' then
    redis.call('HSET', key, 'note', note)
  elseif stored[12] then
    redis.call('HDEL', key, 'note')
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
  if absent and #ids == 0 and count == 0 then return end
  if #ids == 0 and count == 0 then
    capacity = 0
  end
  if string.sub(note, -1) == ' ' and not holders[string.match(note, '^%S+')] then
    note = ''
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
    local record = compactForm()
    local expiry = text(math.ceil((latest + fenceMemory) / 1000))
    if record then
      redis.call('SET', key, record, 'PXAT', expiry)
    else
      writeHash()
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
