-- SPDX-License-Identifier: MIT
--
-- Part of a step: reads `record`, which is the value of the key `its_key`, a base, or false. `fault` is
-- an error if it can't be read. More than 14 digits are no number of ours: an id has 15
-- at most. Layouts: KEYS.md.
local epoch, base, touched, watchers = '0', 0, 0, ''
local bytes, forks, fault = nil, '', nil -- (bytes are nil if they are not counted)
if record then
  epoch, base, touched, watchers = string.match(record, '^(%d+) (%d+) (%d+)(.*)$')
  if watchers and watchers ~= '' and string.byte(watchers) ~= 32 then
    bytes, forks, watchers = string.match(watchers, '^%+?(%d*)([<:%d]*)(.*)$')
    if #bytes > 14 or (watchers ~= '' and string.byte(watchers) ~= 32) then epoch = nil end
    bytes = tonumber(bytes)
  end
  if not epoch or #epoch > 14 or #base > 14 or #touched > 14 then
    fault = {err = 'BROKEN ' .. its_key .. " can't be read"}
  else
    base, touched = base + 0, touched + 0
  end
end
