# Sourced by machine.sh: the inspector's host and the drill host, one after the other in place of the backup host.

mv /etc/strongroom /root/backup-host
rm -rf /etc/systemd/system/strongroom*.d
chattr -R -i /srv/strongroom && chmod -R a+rX /srv/strongroom

# a host with what `init`'s last step brings there: name, unit, files of keys/
bring() {
  rm -rf /root/strongroom /etc/strongroom
  mkdir -p /root/strongroom/keys
  cp /root/backup-host/$2.toml /root/strongroom/
  shift 2
  for key in "$@"; do cp /root/backup-host/keys/$key /root/strongroom/keys/ 2>/dev/null || cp /root/$key /root/strongroom/keys/; done
}
# what the unit's user reads of the vault with the unit's credentials
look() { # name, role
  systemd-run --quiet --wait --pipe -p User=strongroom-$1 -p LoadCredential=keys:/etc/strongroom/keys \
    /usr/local/bin/strongroom -c /etc/strongroom/$2.toml list app --limit 1
}
host() { # name, role, files of keys/
  bring "$@"
  cd /checkout || exit
  tell "/shared/install_$1" sh -eux "/shared/install-$1.sh"
  cd /shared || exit
  touch /etc/strongroom/keys/signing.key
  systemctl start "strongroom-$1.service" >"refused_$1.out" 2>&1
  rm /etc/strongroom/keys/signing.key
  tell "credentials_$1" look "$1" "$2"
}
host watch inspector signing.pub report.pub
sed -i 's|/var/lib/strongroom/probe|/var/lib/strongroom-watch/probe|g' probe.sh
probe sandbox_watch strongroom-watch.service
host drill restorer signing.pub drill.key report.key
sed -i 's|/var/lib/strongroom-watch/probe|/var/lib/strongroom-drill/probe|g' probe.sh
probe sandbox_drill strongroom-drill.service
cp probe-drill.sh probe.sh
probe bubblewrap strongroom-drill.service
rm -r /etc/strongroom
mv /root/backup-host /etc/strongroom
