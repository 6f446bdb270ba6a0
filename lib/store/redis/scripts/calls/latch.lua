-- latch: a countdown latch; latch-machine.ts is its reference. Each call costs the same however many have counted,
-- but for those that end a count: the last one, the first one after its time is over, and the one that begins a new round.
-- KEYS: 1 the record: latch (format), count, until, alive (latest sign of life of a watcher), d:<id> for each counted
--       id, w:<id> alive for each watcher; and when rounds are named: round, and past ("+<round>" for one that had
--       opened, "-<round>" for one that had not, separated by spaces, the latest first). The builds of before know no
--       rounds, and treat the current one as the latch
-- ARGV: 1 terms ("fenceMemory countable prefix", see record.lua)  2 kind  3 round (without spaces; '' for the current
--       one)  4 id or count  5 ttl
-- Returns: outcome, now, count, until, the current round
local key, kind, meantRound = KEYS[1], ARGV[2], ARGV[3]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local r = redis.pcall('HMGET', key, 'latch', 'count', 'until', 'alive', 'round', 'past')
if r.err then -- no hash: the compact record of a lock, or a foreign value
  local value = redis.pcall('GET', key)
  local lock = type(value) == 'string' and string.find(value, '^lock%d+[ +]')
  return redis.error_reply(lock and 'LOCKFOREIGN a lock' or r.err)
end
if r[1] ~= '1' then
  if r[1] then return redis.error_reply('LOCKNEWER ' .. r[1]) end
  if redis.call('EXISTS', key) == 1 then
    return redis.error_reply(redis.call('HEXISTS', key, 'v') == 1 and 'LOCKFOREIGN a lock' or 'LOCKFOREIGN')
  end
end
local count, expiry, alive = tonumber(r[2] or nil), tonumber(r[3] or 0), tonumber(r[4] or 0)
local round, past = r[5] or '', r[6] or ''

local function watchers()
  local found = {}
  local fields = redis.call('HGETALL', key)
  for at = 1, #fields, 2 do
    if string.sub(fields[at], 1, 2) == 'w:' and tonumber(fields[at + 1]) > now then
      found[fields[at]] = fields[at + 1]
    end
  end
  return found
end

-- Has the watchers ask again.
local function tell(living)
  for field in pairs(living) do
    local id = string.sub(field, 3)
    redis.pcall('PUBLISH', string.match(ARGV[1], '^%d+ %d%S* (.*)$') .. string.match(id, '^[^.]*'), 'o ' .. id .. ' ' .. key)
  end
end

-- Whoever has counted is forgotten; those who wait are not. The key stays, since a node refuses to write one that is not there
-- while its slot is on its way.
local function clear(living)
  redis.call('HSET', key, 'latch', '1', 'alive', string.format('%.0f', alive))
  local fields = redis.call('HGETALL', key)
  for at = 1, #fields, 2 do
    local field = fields[at]
    if field ~= 'latch' and field ~= 'alive' and not living[field] then
      redis.call('HDEL', key, field)
    end
  end
end

if count and expiry <= now then
  clear(watchers())
  count, expiry, round, past = nil, 0, '', ''
end

local meant = meantRound == '' or meantRound == round
local passed -- '+' or '-' when the round that is meant was replaced
for mark, each in string.gmatch(past, '([+-])(%S+)') do
  if each == meantRound then
    passed = mark
  end
end
local outcome
if kind == 'set' and (not count or not meant and not passed) then
  local living = count and watchers()
  if living then
    if round ~= '' then
      past = (count == 0 and '+' or '-') .. round .. ' ' .. past
    end
    redis.call('HSET', key, 'count', ARGV[4]) -- a full server refuses this, and nothing has changed
    clear(living)
  end
  outcome, count, expiry, round = 'set', tonumber(ARGV[4]), now + ARGV[5], meantRound
  meant = true
  redis.call('HSET', key, 'latch', '1', 'count', count, 'until', string.format('%.0f', expiry),
    'alive', string.format('%.0f', alive))
  if round ~= '' then
    redis.call('HSET', key, 'round', round)
  end
  local kept = {}
  for each in string.gmatch(past, '%S+') do
    if #kept < MOST_PAST then
      kept[#kept + 1] = each
    end
  end
  if #kept > 0 then
    redis.call('HSET', key, 'past', table.concat(kept, ' '))
  end
  tell(living or {})
elseif kind == 'watch' and not passed and not (meant and count == 0) then
  alive = math.max(alive, now + SIGN_OF_LIFE)
  redis.call('HSET', key, 'latch', '1', 'alive', string.format('%.0f', alive),
    'w:' .. ARGV[4], string.format('%.0f', now + SIGN_OF_LIFE))
elseif kind == 'unwatch' then
  redis.call('HDEL', key, 'w:' .. ARGV[4])
elseif kind == 'down' and meant and count and count > 0 and redis.call('HSETNX', key, 'd:' .. ARGV[4], '1') == 1 then
  count = count - 1
  redis.call('HSET', key, 'count', count)
  if count == 0 then
    local living = watchers()
    for field in pairs(living) do
      redis.call('HDEL', key, field)
    end
    tell(living) -- also those who wait for another round: they ask again
  end
end
local latest = math.max(count and expiry or 0, alive)
if latest > now then
  redis.call('PEXPIREAT', key, string.format('%.0f', math.ceil(latest / 1000)))
else
  redis.call('DEL', key)
end
if passed then
  local open = passed == '+' and kind ~= 'set' and kind ~= 'down'
  return { open and 'open' or 'over', now, 0, 0, round }
end
if not meant or not count then return { 'missing', now, 0, 0, round } end
return { outcome or (kind == 'set' and 'exists') or (count == 0 and 'open') or 'counting', now, count, expiry, round }
