-- take-over: lets the hold of one id go on as that of another, with a larger fence; never creates a hold.
-- KEYS: the records, each once
-- ARGV: 1 terms ("fenceMemory countable prefix", see record.lua); then for each key
--       from (the id that holds), used (the last fence that it used),
--       ask ("notAfter ttl guard block units id identity", notAfter with 16 digits; the id holds from now on)
-- Returns for each key: { granted, now, first, last, contended, done[, note] } | { lost, now } | { revoked, now, reason }
--   | { late, now } | an error
local STRIDE = 3
-- @include begin.lua
-- @include no-lean-path.lua

local function general(key, at, compact)
  local from, lastUsed = args[at], tonumber(args[at + 1])
  local notAfter, ttl, guard, block, units, id, identity = string.match(args[at + 2],
    '^(%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (.*)$')
  if now > notAfter + 0 then return { 'late', now } end
  -- @include record.lua#general
  -- @include rules.lua
  if absent then return { 'lost', now } end
  ttl, guard, block, units = tonumber(ttl), tonumber(guard), tonumber(block), tonumber(units)
  persist()
  expire()
  local own, before = holders[id], holders[from]
  if own then
    if not own.kept and not own.revoked then
      extend(own, ttl + guard) -- a repeat: the hold is ours already
      touch(id)
    end
  elseif before and not before.kept and not before.revoked then
    giveBack(from, lastUsed)
    drop(from)
    released = from
    grant({ id = id, units = math.min(units, before.units), guard = guard, block = block, identity = identity }, ttl)
  end
  grantHeads('')
  local h = holders[id]
  local usable = h and not h.kept and not h.revoked
  if usable then
    h.contended = count > 0
    touch(id)
  end
  save()
  if usable then return { 'granted', now, h.first, h.last, flag(h.contended), flag(done > now), noted() } end
  return over((h or forcedAt(id)) and id or from)
end

-- @include general-path.lua
