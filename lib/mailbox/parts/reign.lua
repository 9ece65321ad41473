-- SPDX-License-Identifier: MIT
--
-- Part of a step: `reign` becomes a number. Epochs are made of it, so one that can't be a time, or is
-- more than a year ahead of `now`, is refused:
-- `fault` is an error then.
local fault
if reign then
  reign = string.find(reign, '^%d+$') and reign + 0
  if not reign or reign > now + 31557600000 then
    fault = {err = 'REIGN letterbox:reign holds no time that can be'}
  end
else
  reign = 0
end
