-- note: what a holder leaves for those who hold the name later; an empty text takes it back.
-- KEYS: the records, each once
-- ARGV: 1 terms ("fenceMemory countable prefix", see record.lua); then for each key
--       id, turn (grows with each note of a hold), text (without spaces)
-- Returns for each key: { noted, now } | { lost, now } | { revoked, now, reason } | an error
local STRIDE = 3
-- @include begin.lua
-- @include no-lean-path.lua

local function general(key, at, compact)
  local id, turn = args[at], args[at + 1]
  -- @include record.lua#general
  -- @include rules.lua
  if absent then return { 'lost', now } end
  expire()
  local h = holders[id]
  local usable = h and not h.kept and not h.revoked
  if usable then
    local by, last = string.match(note, '^(%S+) (%d+) ')
    if by ~= id or last + 0 < turn + 0 then
      note, dirty = id .. ' ' .. turn .. ' ' .. args[at + 2], true -- a full server refuses this
    end
  else
    persist()
  end
  grantHeads('')
  save()
  if usable then return { 'noted', now } end
  return over(id)
end

-- @include general-path.lua
