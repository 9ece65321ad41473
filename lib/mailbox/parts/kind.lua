-- SPDX-License-Identifier: MIT
--
-- Part of a step: `key` must be of the type `kind`, or missing. If it is of another type, `fault` is an
-- error that names it.
local fault
local found = redis.call('TYPE', key).ok
if found ~= kind and found ~= 'none' then
  fault = {err = string.format('BROKEN %s is a %s, not a %s', key, found, kind)}
end
