// SPDX-License-Identifier: MIT

import { house, test } from '../pages/browser.mjs';
import { passes } from '../streams/passes.mjs';
import { openIn, pageWith, visitor } from './pages.mjs';

house({ LETTERBOX_DEMO: '0' });

passes({ open: async (stack, path) => openIn(await pageWith(await visitor(stack)), path), test });
