-- renew: moves the deadline of holds forward and confirms pushed grants; never creates a hold.
-- KEYS: the records, each once
-- ARGV: 1 terms ("fenceMemory countable prefix", see record.lua); then for each key
--       id, notAfter (16 digits), keep (ms from now to keep the record), span (ttl + guard, 12 digits), block, used
-- Returns for each key: "now last" (renewed, nobody waits), or
--   { renewed, now, last, contended } | { lost, now } | { revoked, now, reason } | { late, now } | an error
local STRIDE = 6
-- @include begin.lua
-- @include record.lua#lean-renew

local records = redis.call('MGET', unpack(keys))
-- @include lean-path.lua

local function general(key, at, compact)
  local id, span = args[at], tonumber(args[at + 3])
  local block, lastUsed = tonumber(args[at + 4]), tonumber(args[at + 5])
  -- @include record.lua#general
  -- @include rules.lua
  if absent then return { 'lost', now } end
  persist()
  expire()
  local h = holders[id]
  local usable = h and not h.kept and not h.revoked
  if usable then
    extend(h, span)
    if h.units == capacity and h.last == fence then
      h.last = math.max(h.last, lastUsed + block)
      fence = h.last
    end
    touch(id)
  end
  grantHeads('')
  if usable then
    h.contended = count > 0
    touch(id)
  end
  save()
  if not h or h.kept then return ended(id) end
  if h.revoked then return { 'revoked', now, h.revoked } end
  return { 'renewed', now, h.last, flag(h.contended) }
end

-- @include general-path.lua
