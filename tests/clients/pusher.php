<?php
// SPDX-License-Identifier: MIT
//
// usage: php pusher.php URL USER COUNT    pushes the numbers from 0 to COUNT - 1 to a user, one after the other

declare(strict_types=1);

require __DIR__ . '/../../scripts/clients/php/Letterbox.php';

[, $url, $user, $count] = $argv;
$letterbox = new Letterbox\Letterbox($url, retryFor: 60);
for ($number = 0; $number < (int) $count; ++$number) {
    $letterbox->push($user, $number);
}
