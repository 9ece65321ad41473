-- SPDX-License-Identifier: MIT
--
-- Part of a step: what stands in `line`, a client's. `at`: what it has, as a number of the mailbox's
-- epoch; nil: the line can't be read. A number of an epoch that this one goes on from is one of this,
-- as far as that went; of any other epoch the client has nothing here. (`seen` and `parked` are left as
-- text: to make a number of one costs, and mostly one of them does.) Layouts: KEYS.md.
local its_epoch, at, seen, parked = string.match(line, '^(%d+) (%d+) (%d+) (%d+)')
if its_epoch == epoch then
  at = at + 0
elseif its_epoch then
  local most = forks ~= '' and string.match(forks, '<' .. its_epoch .. ':(%d+)')
  at = most and math.min(at, most) or base
end
