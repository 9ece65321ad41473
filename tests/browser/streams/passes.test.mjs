// SPDX-License-Identifier: MIT

import { after } from 'node:test';
import { stopAll } from '../pages/stack.mjs';
import { open, test } from './house.mjs';
import { passes } from './passes.mjs';

after(stopAll);

passes({ open: async (stack, path) => open(stack.url + path), test });
