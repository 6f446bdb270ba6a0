-- The lean hand-off: a release gives a whole mutex to the head of its queue, in one SET and one PUBLISH. The record says of
-- each waiter, as text, what a grant to it would write and push (layout.lua); to make text of a number takes longer.
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
  if used + 0 >= now or string.byte(record, share) ~= STAR or not tonumber(idle) then
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
      return nil -- the next head is not to stay as it is
    end
    form, told, queue = 'lock1+', '1', '\n' .. times .. sub(record, rest)
    keep = math.max(keep, math.ceil((sub(times, 1, 16) - now) / 1000))
  end
  set(key, form .. nowText .. ' ' .. hold .. ' ' .. id .. queue, 'PX', keep + idle)
  local countable, server, prefix = string.match(args[1], '^%d+ (%d)(%S*) (.*)$')
  local session = sub(head, 1, string.find(head, '.', 1, true) - 1)
  local heard = try('PUBLISH', prefix .. session,
    'g ' .. head .. ' ' .. nowText .. ' = ' .. extent .. ' ' .. told .. ' 0 ' .. seal .. server .. ' ' .. key)
  if heard == 0 and countable == '1' then
    redis.call('SET', key, record, 'KEEPTTL')
    return nil
  end
  plain = -now
  return now
end
