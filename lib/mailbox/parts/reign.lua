-- SPDX-License-Identifier: MIT
--
-- Part of a step whose last key is letterbox:reign: converts `reign`, its value, to a number. Epochs are
-- made of it, so a reign that can't be a time, or is more than a year ahead of `now`, is refused: then
-- `fault` is an error.
local fault
if reign then
  reign = string.find(reign, '^%d+$') and reign + 0
  if not reign or reign > now + 31557600000 then
    fault = {err = 'REIGN ' .. KEYS[#KEYS] .. ' holds no time that can be'}
  end
else
  reign = 0
end
