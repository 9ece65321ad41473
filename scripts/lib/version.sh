# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# Sourced by a script that is asked for its --version: prints it, and ends the script. An
# installation has the version in a file beside this one (`make install`), the repository
# in its Makefile.

version_dir=$(dirname -- "$(realpath -- "$0")")
if [ -r "$version_dir/lib/version" ]; then
    read -r version <"$version_dir/lib/version"
else
    version=$(sed -n 's/^VERSION = //p' "$version_dir/../Makefile")
fi
echo "${0##*/} $version"
exit 0
