#compdef countersign
# zsh completion for countersign: `countersign completion zsh` prints this; what there is to complete says the program itself.

_countersign() {
    local line text
    local -a candidates
    while IFS= read -r line; do
        case $line in
        :files) _files ;;
        :dirs) _files -/ ;;
        *)
            text=${line#*$'\t'}
            candidates+=("${${line%%$'\t'*}//:/\\:}${text:+:$text}")
            ;;
        esac
    done < <("${(Q)words[1]}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)
    (( $#candidates )) && _describe -t values countersign candidates
}

if [[ $funcstack[1] == _countersign ]]; then
    _countersign "$@"
else
    compdef _countersign countersign
fi
