<?php
// SPDX-License-Identifier: MIT
//
// LETTERBOX_ORIGIN=http://127.0.0.1:8000 scripts/run
// php -S 127.0.0.1:8000 scripts/clients/examples/php/index.php       and then http://127.0.0.1:8000 in a browser

require __DIR__ . '/../../php/Letterbox.php';

$letterbox = new Letterbox\Letterbox();
session_start(['cookie_httponly' => true, 'cookie_samesite' => 'Strict']);
$user = $_SESSION['user'] ?? null;
$text = fn (string $field): string => is_string($_POST[$field] ?? null) ? $_POST[$field] : '';
$isName = fn (string $name): bool => (bool) preg_match('/^[A-Za-z0-9._-]{1,64}$/D', $name);
switch ($_SERVER['REQUEST_METHOD'] . ' ' . parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)) {
    case 'POST /login':                                    // and here your site checks the password
        if (!$isName($text('name'))) {
            return http_response_code(400);
        }
        session_regenerate_id(true);
        $_SESSION['user'] = $text('name');
        return header('Location: /', true, 303);
    case 'POST /token':
        header('Content-Type: application/json');
        $token = $user === null ? ['user' => null] : $letterbox->issueToken($user, ttl: 3600);
        return print json_encode($token + ['url' => getenv('LETTERBOX_URL') ?: 'http://127.0.0.1:8080']);
    case 'POST /push':                                     // to one user, from the one who is logged in
        if ($user === null || !$isName($text('to'))) {
            return http_response_code($user === null ? 401 : 400);
        }
        $letterbox->push($text('to'), ['from' => $user, 'text' => $text('text')], type: 'note');
        return header('Location: /', true, 303);
    case 'GET /letterbox.js':
        header('Content-Type: text/javascript');
        return readfile(__DIR__ . '/../../../../nginx/www/letterbox.js');
    case 'GET /':
        return readfile(__DIR__ . '/../page.html');
}
http_response_code(404);
