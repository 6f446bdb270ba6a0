-- The compact form of a record, and the numbers that the scripts share. `npm run lua` puts the numbers in the place of
-- their names, so that a name costs nothing when a script runs. The general form stands in record.lua, which alone
-- writes it; docs/architecture-record.md shows both with examples.
--
-- The compact form is a string. It is for the common case: nobody holds, or one attempt holds and nothing about it is
-- special. Redis hashes each byte of each string that Lua sees, so a shorter record is a faster one.
--   "lock1 - fence released"                              nobody holds
--   "lock1 at id span first share block who released"     one holds. Its deadline is at + span; it was granted at
--                                                         `first` ("=" for at); its last fence is first + block - 1;
--                                                         its share is "units/capacity", or "*" for a whole mutex
--   "lock1+at id …", and lines: "alive next", then "seq waiter" for each waiter, the head first: one holds and knows that
--                                                         a few wait
--   `released` is the id that was released last, "-" for none.
--   fence and at have 16 digits (until the year 2286), span 12: the lean paths read them by their place.
-- A waiter is "end subscribed keep claim size seal until alive since ttl guard block hold" in both forms. Its first and
-- last fields are what a lean hand-off needs ready as text:
--   end      the earlier of until and alive, 16 digits
--   keep     in how many milliseconds its claim is over; claim and size are the claim's span and number of fences
--   hold     "id span = share size who", as in the compact form

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
local ZERO = 48
local ONE = 49
local EQUALS = 61

-- As many waiters fit into a compact record, which is read and written as a whole.
local FEW = 8

-- As in lock-state.ts and latch-machine.ts; a test compares them.
local SIGN_OF_LIFE = 15000000
local CLAIM_WINDOW = 2000000
local WHOLE = 1073741824
local MOST_FORCED = 64
local MOST_PAST = 8
