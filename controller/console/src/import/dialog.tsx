import { Dialog } from '../ui/dialog';
export default function Import({ files, onClose }: { files: File[]; onClose: () => void }) {
  return <Dialog title="Import" onClose={onClose}>{files.length}</Dialog>;
}
