-- SPDX-License-Identifier: MIT
--
-- Part of a step: reads `line`, a client's line. `at` is the seq up to which the client has everything,
-- in the mailbox's epoch; nil: the line can't be read. A seq of an epoch from which this one has forked
-- is also one of this epoch, up to the fork. Of any other epoch the client has nothing here. (`seen` and
-- `parked` stay text: a conversion costs time, and mostly one of the two is enough.) Layouts: KEYS.md.
local its_epoch, at, seen, parked = string.match(line, '^(%d+) (%d+) (%d+) (%d+)')
if its_epoch == epoch then
  at = at + 0
elseif its_epoch then
  local most = forks ~= '' and string.match(forks, '<' .. its_epoch .. ':(%d+)')
  at = most and math.min(at, most) or base
end
