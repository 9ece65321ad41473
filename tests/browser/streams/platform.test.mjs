// SPDX-License-Identifier: MIT

import { house, open, streamUrl, test } from './house.mjs';
import { platform } from './platform.mjs';

platform({ house: house(), open, streamUrl, test });
